import { MonolithError } from '../base/index.js';
import { checkHooks } from './check-hook.js';
import type { EvaluationMetrics } from './evaluate.js';
import { decisionOf, type StepDecision } from './hook-trigger.js';
import type { HookContext, HookState, HookStop, Retention, StepMetrics, TrainHook } from './hooks.js';

/** What the loop does for hooks; the parts of {@link HookContext} that are the same for all of them. */
export type HookActions = Omit<HookContext, 'stop'>;

/** States of hooks in a checkpoint, by name. */
export type HookStates = { readonly [name: string]: HookState };

/** Methods that are awaited, each with the arguments before the context. */
type Call = (hook: TrainHook, context: HookContext) => void | Promise<void> | undefined;

type Entry = {
  readonly hook: TrainHook;
  readonly name: string;
  readonly context: HookContext;
  decision: StepDecision | null;
  due: boolean;
};

/**
 * Calls the hooks of one run: in order, awaited, each with a context that knows its name. Made for one run; `close` it.
 * Whoever runs a loop of its own asks {@link due} once before each step and calls the other methods in the order of {@link TrainHook}.
 */
export class HookRunner {
  /** The first request to stop. */
  stopRequest: HookStop | null = null;
  private readonly entries: readonly Entry[];
  /** Requests so far: whether the hook that was just called made one. */
  private stops = 0;
  private calls = 0;
  /** Saves and evaluations that hooks have begun. */
  private readonly pending = new Set<Promise<unknown>>();
  private isClosed = false;

  /** @param onStop told of every request to stop, as it is made. */
  constructor(
    hooks: readonly TrainHook[],
    actions: HookActions,
    private readonly onStop: (stop: HookStop) => void = () => {},
  ) {
    const names = new Set<string>();
    this.entries = checkHooks(hooks).map((hook, i) => {
      const name = uniqueName(nameOf(hook, i), names);
      return { hook, name, context: this.contextOf(name, actions), decision: null, due: false };
    });
  }

  /** Gives each hook its state of the checkpoint that the run goes on from. @throws HookFailed */
  restore(states: HookStates | undefined): void {
    for (const entry of this.entries) {
      const { hook, name } = entry;
      entry.decision =
        hook.beforeStep === undefined && hook.afterStep === undefined ? null : guard(entry, 'trigger', () => decisionOf(hook.trigger));
      const state = states?.[name];
      if (state !== undefined) guard(entry, 'restore', () => hook.restore?.(state));
    }
  }

  async begin(): Promise<void> {
    await this.all('begin', (hook, context) => hook.begin?.(context));
  }

  /** What to save of the hooks; undefined when none of them has a state. */
  states(): HookStates | undefined {
    const states: [string, HookState][] = [];
    for (const entry of this.entries) {
      const { hook, name } = entry;
      if (hook.state !== undefined) states.push([name, guard(entry, 'state', () => asJson(hook.state?.() ?? null))]);
    }
    return states.length === 0 ? undefined : Object.fromEntries(states);
  }

  /** Decides for the step about to be made whose `beforeStep` and `afterStep` are called; whether there is any. Once a step. */
  due(step: number, nowMs: number): boolean {
    let any = false;
    for (const entry of this.entries) {
      const { decision } = entry;
      entry.due = decision !== null && guard(entry, 'trigger', () => decision.due(step, nowMs));
      any ||= entry.due;
    }
    return any;
  }

  /** Whether one of the hooks that are due wants to be called before the step. */
  get wantsBefore(): boolean {
    return this.entries.some(({ hook, due }) => due && hook.beforeStep !== undefined);
  }

  async beforeStep(step: number): Promise<void> {
    await this.each('beforeStep', (hook, context) => hook.beforeStep?.(step, context), true);
  }

  async afterStep(step: number, metrics: StepMetrics): Promise<void> {
    await this.each('afterStep', (hook, context) => hook.afterStep?.(step, metrics, context), true);
  }

  /** Calls one method of every hook in order; behind one that asks to stop no further one. @throws HookFailed or what a hook threw */
  async each(method: string, call: Call, onlyDue = false): Promise<void> {
    for (const entry of this.entries) {
      if (onlyDue && !entry.due) continue;
      const before = this.stops;
      await this.called(entry, method, call);
      if (this.stops !== before) return;
    }
  }

  /** Calls one method of every hook in order, whoever asks to stop. @throws HookFailed or what a hook threw */
  async all(method: string, call: Call): Promise<void> {
    for (const entry of this.entries) await this.called(entry, method, call);
  }

  /** Closes every hook, whatever another one throws; the first error is thrown after all are closed. Twice is fine. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    const errors: unknown[] = [];
    for (const entry of this.entries) {
      try {
        await this.called(entry, 'close', (hook) => hook.close?.());
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  private async called(entry: Entry, method: string, call: Call): Promise<void> {
    this.calls++;
    try {
      await call(entry.hook, entry.context);
      await this.unawaited();
    } catch (error) {
      await this.unawaited().catch(() => {});
      throw failed(entry.name, method, error);
    } finally {
      this.calls--;
    }
  }

  /**
   * What hooks have begun and not awaited is over before training goes on. Only behind the outermost call: a call within an evaluation that a
   * hook asked for would wait for itself.
   */
  private async unawaited(): Promise<void> {
    while (this.calls === 1 && this.pending.size > 0) await Promise.all(this.pending);
  }

  private contextOf(name: string, actions: HookActions): HookContext {
    const within = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      if (this.calls > 0) return work();
      throw new MonolithError(
        'InvalidArgument',
        `hook ${name}: ${what}() was called outside of a call to a hook, where training is under way; call it in a method and await it there`,
        { hook: name },
      );
    };
    const begun = <T>(what: string, work: () => Promise<T>): Promise<T> => {
      const promise = within(what, work).finally(() => this.pending.delete(promise));
      this.pending.add(promise);
      return promise;
    };
    const stop = (reason?: string): void => {
      this.stops++;
      const request = { hook: name, reason: reason ?? null };
      this.stopRequest ??= request;
      this.onStop(request);
    };
    return {
      get step() {
        return actions.step;
      },
      get modelDir() {
        return actions.modelDir;
      },
      get learningRateFactor() {
        return actions.learningRateFactor;
      },
      save: (): Promise<string> => begun('save', () => actions.save()),
      evaluate: (): Promise<EvaluationMetrics | null> => begun('evaluate', () => actions.evaluate()),
      stop,
      get timeline() {
        return actions.timeline;
      },
      retain: (retention: Retention) => actions.retain(retention),
    };
  }
}

/** The name of a hook where it has none: that of its class, else its place. */
export function nameOf(hook: TrainHook, index: number): string {
  if (hook.name !== undefined && hook.name !== '') return hook.name;
  const className = (hook as object).constructor?.name;
  return className === undefined || className === '' || className === 'Object' ? `number ${index + 1}` : className;
}

function uniqueName(name: string, taken: Set<string>): string {
  let unique = name;
  for (let i = 2; taken.has(unique); i++) unique = `${name} ${i}`;
  taken.add(unique);
  return unique;
}

function guard<T>({ name }: Entry, method: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw failed(name, method, error);
  }
}

/** A state is asked for at a checkpoint and read back from JSON: what JSON does not hold would be lost, or end the run without saying whose it is. */
function asJson(state: HookState): HookState {
  if (state instanceof Promise)
    throw new Error('returned a promise; it is called while a checkpoint is taken and must return the state itself');
  if (JSON.stringify(state) === undefined) throw new Error(`returned a ${typeof state}, expected plain JSON`);
  return state;
}

/** Errors that already name the hook they came from; a hook of hooks must not name itself as well. */
const named = new WeakSet<MonolithError>();

/** The error of a run that a hook ended. */
export function failed(hook: string, method: string, error: unknown): MonolithError {
  if (error instanceof MonolithError && named.has(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof MonolithError ? error.code : 'HookFailed';
  const details = error instanceof MonolithError ? error.details : {};
  const result = new MonolithError(code, `hook ${hook}, ${method}: ${text}`, { ...details, hook, method }, { cause: error });
  named.add(result);
  return result;
}
