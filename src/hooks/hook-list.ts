import {
  type CheckpointEvent,
  type EvaluationEvent,
  type HookContext,
  HookRunner,
  type HookState,
  type Progress,
  type Retention,
  type StepDecision,
  type StepMetrics,
  type TrainHook,
  type TrainResult,
  type WindowEvent,
} from '../training/index.js';

/**
 * Several hooks as one, each with its own trigger. At every step they are called in order up to the first that asks to stop: those behind it do
 * not see that step. A run treats its list of hooks in the same way; this is for handing a group around.
 */
export class HookList implements TrainHook {
  readonly name: string = 'HookList';
  readonly trigger: StepDecision = { due: (step, nowMs) => this.runner.due(step, nowMs) };
  private runner: HookRunner;
  /** The list's own, of the call made last. */
  private context: HookContext | null = null;

  constructor(private readonly hooks: readonly TrainHook[]) {
    this.runner = this.makeRunner();
  }

  restore(state: HookState): void {
    this.runner.restore(state as { readonly [name: string]: HookState });
  }

  state(): HookState {
    return this.runner.states() ?? null;
  }

  onStart(step: number, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.all('onStart', (hook, own) => hook.onStart?.(step, own)));
  }

  begin(context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.begin());
  }

  beforeStep(step: number, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.beforeStep(step));
  }

  afterStep(step: number, metrics: StepMetrics, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.afterStep(step, metrics));
  }

  onProgress(progress: Progress, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.each('onProgress', (hook, own) => hook.onProgress?.(progress, own)));
  }

  onEvaluation(event: EvaluationEvent, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.each('onEvaluation', (hook, own) => hook.onEvaluation?.(event, own)));
  }

  onWindow(event: WindowEvent, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.each('onWindow', (hook, own) => hook.onWindow?.(event, own)));
  }

  onCheckpoint(event: CheckpointEvent, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.each('onCheckpoint', (hook, own) => hook.onCheckpoint?.(event, own)));
  }

  end(step: number, metrics: StepMetrics | null, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.all('end', (hook, own) => hook.end?.(step, metrics, own)));
  }

  onEnd(result: TrainResult, context: HookContext): Promise<void> {
    return this.call(context, () => this.runner.all('onEnd', (hook, own) => hook.onEnd?.(result, own)));
  }

  /** Afterwards the list is as new, for another run. */
  async close(): Promise<void> {
    const { runner } = this;
    this.runner = this.makeRunner();
    await runner.close();
  }

  private makeRunner(): HookRunner {
    const given = (): HookContext => this.context as HookContext;
    const actions = {
      get step() {
        return given().step;
      },
      get modelDir() {
        return given().modelDir;
      },
      get learningRateFactor() {
        return given().learningRateFactor;
      },
      get timeline() {
        return given().timeline;
      },
      save: () => given().save(),
      evaluate: () => given().evaluate(),
      retain: (retention: Retention) => given().retain(retention),
    };
    // A member's request to stop becomes one of the list, with the member's name.
    const runner = new HookRunner(this.hooks, actions, ({ hook, reason }) => given().stop(reason === null ? hook : `${hook}: ${reason}`));
    runner.restore(undefined);
    return runner;
  }

  private call(context: HookContext, work: () => Promise<void>): Promise<void> {
    this.context = context;
    return work();
  }
}
