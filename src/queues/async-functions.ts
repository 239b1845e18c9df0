import { PrefetchQueue } from './prefetch-queue.js';

/** Calls that may wait for a step; one more and its caller runs the oldest. */
const DEFAULT_CAPACITY = 1024;

/** Runs queued calls beside training; has the form of a hook of a training run. */
export type AsyncFunctionHook = {
  readonly name: string;
  /** Runs the oldest queued call, if there is one, to its end. @throws what the function throws */
  beforeStep(): Promise<void>;
  /** Runs all calls that are queued. @throws the first error, after all have run */
  end(): Promise<void>;
};

export type AddedFunction<A extends readonly unknown[]> = {
  /** Asynchronous: queues a call with these arguments. Synchronous: calls and waits for the end. */
  readonly enqueue: (...args: A) => Promise<void>;
  /** To be given to the training run; does nothing for a synchronous function. */
  readonly hook: AsyncFunctionHook;
};

/**
 * Functions that training calls without waiting for them, as Monolith's AsyncFunctionMgr: a call is queued, each step runs at most one, and
 * the end of training runs the rest.
 *
 * ```ts
 * const manager = new AsyncFunctionManager();
 * const { enqueue } = manager.addAsyncFunction(pushRows);
 * await estimator.train({ hooks: [...manager.hooks, { afterStep: (step) => enqueue(step) }] });
 * ```
 */
export class AsyncFunctionManager {
  private readonly added: AsyncFunctionHook[] = [];

  /** @param isAsync what functions are that do not say. */
  constructor(private readonly isAsync = true) {}

  /** The hooks of all functions, in the order in which they were added. */
  get hooks(): readonly AsyncFunctionHook[] {
    return this.added;
  }

  /**
   * @param fn       may return a promise, which is waited for before the next call runs.
   * @param isAsync  default: that of the manager.
   * @param capacity most calls that wait, at least 1. Who queues one more runs the oldest first: it may be a hook, and the step that would make room
   *                 waits for that.
   */
  addAsyncFunction<A extends readonly unknown[]>(
    fn: (...args: A) => unknown,
    isAsync: boolean = this.isAsync,
    capacity: number = DEFAULT_CAPACITY,
  ): AddedFunction<A> {
    const queue = new PrefetchQueue<A>(isAsync ? capacity : 1);
    let last: Promise<unknown> = Promise.resolve();
    /** Runs the oldest call behind those that run. @returns null when none is queued */
    const runOldest = (): Promise<void> | null => {
      const args = queue.tryDequeue();
      if (args === undefined) return null;
      const run = last.then(async () => void (await fn(...args)));
      last = run.catch(() => {});
      return run;
    };
    const hook: AsyncFunctionHook = {
      name: `async function ${fn.name === '' ? 'without a name' : fn.name}`,
      beforeStep: async () => {
        await runOldest();
      },
      end: async () => {
        const errors: unknown[] = [];
        for (let run = runOldest(); run !== null; run = runOldest()) await run.catch((error: unknown) => errors.push(error));
        if (errors.length > 0) throw errors[0];
      },
    };
    this.added.push(hook);
    const enqueue = async (...args: A): Promise<void> => {
      if (!isAsync) return void (await fn(...args));
      // Room is made and taken at once: callers keep their order.
      let run: Promise<void> | null = null;
      while (!queue.tryEnqueue(args)) run = runOldest();
      await run;
    };
    return { enqueue, hook };
  }
}
