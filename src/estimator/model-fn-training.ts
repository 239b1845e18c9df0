import { MonolithError } from '../base/index.js';
import { type HookActions, HookRunner, type HookStates, type StepMetrics, type StopReason, type TrainResult } from '../training/index.js';
import type { TrainOptions } from './in-session.js';
import type { ModelFn, ModelFnSettings } from './model-fn.js';
import { saveModelFn } from './model-fn-checkpoint.js';

/** Steps over which the final loss is averaged. */
const RECENT_STEPS = 100;
/** Where settings say nothing. */
const KEEP_CHECKPOINTS = 5;
const LOG_EVERY_STEPS = 100;

/** Where a model function's training stands between calls. */
export type Standing = {
  readonly step: number;
  readonly hooks: HookStates | undefined;
  readonly checkpoint: string | null;
  /** Whether that checkpoint holds the model as it is. */
  readonly saved: boolean;
};

/** One train call of a model function: the loop, its hooks and its checkpoints. */
export class ModelFnTraining {
  private readonly runner: HookRunner;
  private readonly losses: number[] = [];
  private last: StepMetrics | null = null;
  private keep: number;
  private step: number;
  /** Steps whose call has been made: one more than `step` between the call and the end of the step. */
  private called: number;
  private checkpoint: string | null;
  private saved: boolean;

  constructor(
    private readonly settings: ModelFnSettings,
    private readonly model: ModelFn,
    private readonly options: TrainOptions,
    private readonly start: Standing,
  ) {
    this.step = start.step;
    this.called = start.step;
    this.checkpoint = start.checkpoint;
    this.saved = start.saved;
    this.keep = settings.keepCheckpoints ?? KEEP_CHECKPOINTS;
    this.runner = new HookRunner(options.hooks ?? [], this.actions());
  }

  /** Where training stands now, also after an error. */
  get standing(): Standing {
    const { step, checkpoint, saved } = this;
    return { step, hooks: this.hookStates(), checkpoint, saved };
  }

  /** Makes steps until `target`; what the model function or a hook throws ends it. */
  async run(target: number): Promise<TrainResult> {
    let result: TrainResult;
    try {
      result = await this.train(target);
    } catch (error) {
      await this.runner.close().catch(() => {});
      throw error;
    }
    await this.runner.close();
    return result;
  }

  private async train(target: number): Promise<TrainResult> {
    const { runner } = this;
    const started = performance.now();
    await runner.all('onStart', (hook, context) => hook.onStart?.(this.step, context));
    runner.restore(this.start.hooks);
    await runner.begin();
    let reason: StopReason | null = null;
    while (reason === null) {
      if (this.options.signal?.aborted === true) reason = 'stopped';
      else if (runner.stopRequest !== null) reason = 'stopped by hook';
      else if (this.step >= target) reason = 'max steps';
      else reason = await this.makeStep();
    }
    await runner.all('end', (hook, context) => hook.end?.(this.step, this.last, context));
    await this.save();
    const result = this.result(reason, (performance.now() - started) / 1000);
    await runner.all('onEnd', (hook, context) => hook.onEnd?.(result, context));
    return result;
  }

  /** before(g), the call, after(g), g + 1. A hook that asks to stop leaves g as it is. */
  private async makeStep(): Promise<StopReason | null> {
    const { runner, model, settings } = this;
    const { step } = this;
    const due = runner.due(step, performance.now());
    if (due && runner.wantsBefore) await runner.beforeStep(step);
    if (runner.stopRequest !== null) return 'stopped by hook';
    const loss = finite('train', step, await model.call('train', { step, modelDir: settings.modelDir, features: null }));
    this.called = step + 1;
    this.saved = false;
    this.last = { loss, examples: 0 };
    this.losses.push(loss);
    if (this.losses.length > RECENT_STEPS) this.losses.shift();
    if (due) await runner.afterStep(step, this.last);
    if (runner.stopRequest !== null) {
      this.called = step;
      return 'stopped by hook';
    }
    this.step = step + 1;
    const { checkpointEvery = 0, logStepCountSteps = LOG_EVERY_STEPS } = settings;
    if (logStepCountSteps > 0 && this.step % logStepCountSteps === 0) this.options.log?.(`step ${this.step}: loss ${loss}`);
    if (checkpointEvery > 0 && this.step % checkpointEvery === 0) await this.save();
    return null;
  }

  /** Writes a checkpoint, unless the newest one holds this very state. */
  private async save(): Promise<string> {
    if (this.saved && this.checkpoint !== null) return this.checkpoint;
    const state = { step: this.called, hooks: this.hookStates() };
    const path = await saveModelFn(this.settings.modelDir, this.model, state, this.keep);
    this.checkpoint = path;
    this.saved = true;
    await this.runner.each('onCheckpoint', (hook, context) =>
      hook.onCheckpoint?.({ step: state.step, path, delta: false, waitedMs: 0 }, context),
    );
    return path;
  }

  private actions(): HookActions {
    const step = (): number => this.called;
    const { modelDir } = this.settings;
    return {
      get step() {
        return step();
      },
      modelDir,
      learningRateFactor: 1,
      save: () => this.save(),
      // A model function has losses, no metrics of the kinds that evaluations of data have.
      evaluate: () => Promise.resolve(null),
      retain: ({ newest, best }) => {
        if (!Number.isSafeInteger(newest) || newest < 0) {
          throw new MonolithError('InvalidArgument', `retain: newest must be an integer ≥ 0, got ${newest}`, { newest });
        }
        if (best !== undefined) {
          throw new MonolithError('InvalidArgument', 'retain: a model function has no evaluations by which to keep a best checkpoint', {
            best,
          });
        }
        this.keep = newest === 0 ? Number.MAX_SAFE_INTEGER : newest;
      },
    };
  }

  private hookStates(): HookStates | undefined {
    return this.runner.states() ?? this.start.hooks;
  }

  private result(reason: StopReason, seconds: number): TrainResult {
    return {
      step: this.step,
      examples: 0,
      runExamples: 0,
      seconds,
      examplesPerSecond: 0,
      loss: this.losses.length === 0 ? Number.NaN : this.losses.reduce((sum, loss) => sum + loss, 0) / this.losses.length,
      evaluation: null,
      checkpoint: this.checkpoint,
      reason,
      stoppedEarly: reason !== 'max steps',
      hookStop: this.runner.stopRequest,
      stages: {},
      rows: 0,
      badRecords: 0,
    };
  }
}

/** What a model function returned, if it is a finite number. @throws NonFiniteLoss, InvalidModel */
export function finite(mode: string, step: number, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const where = `model function, mode ${mode}, step ${step}`;
  if (typeof value === 'number')
    throw new MonolithError('NonFiniteLoss', `${where}: returned ${value}, expected a finite number`, { step, mode });
  throw new MonolithError('InvalidModel', `${where}: returned ${typeof value}, expected a number`, { step, mode });
}
