import { availableParallelism } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { MonolithError } from '../base/index.js';
import type { AbortWord } from './abort-word.js';

/** Longest sleep between two looks at the abort word. Twenty wake-ups a second of a parked thread cost nothing measurable. */
export const SLICE_MS = 50;
/** Looks before sleeping when every party can have a core: a barrier of 2 threads takes 0.6 µs instead of 10 µs. */
const SPINS_WITH_A_CORE_EACH = 5000;
/** Looks before sleeping when parties share cores: 5000 would take the core from the very thread waited for (147 µs instead of 19 µs). */
const SPINS_WITH_SHARED_CORES = 200;
/** How often a value is looked at where `Atomics.waitAsync` is missing. */
const POLL_MS = 1;

/** Cores that this process may run on, by affinity; a quota of processor time, such as a container's, is not seen. */
export function availableCores(): number {
  return availableParallelism();
}

/**
 * Looks at a word before the thread goes to sleep.
 *
 * @param parties threads that run at the same time and wait for each other.
 * @param cores   cores they share.
 */
export function spinBudget(parties: number, cores: number = availableCores()): number {
  return parties <= cores ? SPINS_WITH_A_CORE_EACH : SPINS_WITH_SHARED_CORES;
}

/** Milliseconds of the monotonic clock, for deadlines inside one thread. */
export function monotonicMs(): number {
  return performance.now();
}

/** Refuses to park the main thread: timers, signals and the supervision of all other threads would stop with it. */
export function requireBlockingThread(where: string, asyncForm: string): void {
  if (isMainThread) {
    throw new MonolithError(
      'InvalidArgument',
      `${where} would block the main thread; use ${asyncForm} there, or call it from a worker thread`,
      {
        where,
        asyncForm,
      },
    );
  }
}

/** Every wait has a deadline: refuses NaN, negative and endless time limits. */
export function requireTimeout(where: string, timeoutMs: number): void {
  if (!(timeoutMs >= 0 && timeoutMs < Number.POSITIVE_INFINITY)) {
    throw new MonolithError('InvalidArgument', `${where}: timeoutMs is ${timeoutMs}, expected a finite number >= 0`, { where, timeoutMs });
  }
}

/** Settings of {@link waitUntil} and {@link waitUntilAsync}; keep one object for many waits, none is made inside. */
export type WaitOptions = {
  /** Longest wait in milliseconds, finite. */
  readonly timeoutMs: number;
  /** Ends the wait with `Aborted`. */
  readonly abort: AbortWord;
  /** Looks before the first sleep; default {@link spinBudget} of two parties. Not used by the async form. */
  readonly spins?: number;
  /** What is waited for, for the message of a timeout. */
  readonly what?: string;
};

/**
 * Waits until a shared word has a wanted value. The writer must store and then notify that word (as {@link Counter} does); a writer that
 * only stores is noticed within {@link SLICE_MS}.
 *
 * @param predicate claim on the value of `view[index]`; called often, must not block.
 * @returns the value for which the claim held.
 * @throws WaitTimeout after timeoutMs, Aborted when the run ends, InvalidArgument on the main thread.
 */
export function waitUntil(view: Int32Array, index: number, predicate: (value: number) => boolean, options: WaitOptions): number {
  requireBlockingThread('waitUntil', 'waitUntilAsync');
  requireTimeout('waitUntil', options.timeoutMs);
  const spins = options.spins ?? spinBudget(2);
  for (let spin = 0; spin < spins; spin++) {
    const value = Atomics.load(view, index);
    if (predicate(value)) return value;
  }
  const deadline = monotonicMs() + options.timeoutMs;
  for (;;) {
    const value = Atomics.load(view, index);
    if (predicate(value)) return value;
    options.abort.check();
    const left = deadline - monotonicMs();
    if (left <= 0) throw waitTimeout('waitUntil', options, value);
    Atomics.wait(view, index, value, Math.min(left, SLICE_MS));
  }
}

/**
 * {@link waitUntil} for the main thread: same meaning and errors, never blocks, keeps the event loop alive until it ends.
 *
 * @param waitAsync replaces `Atomics.waitAsync`; null stands for a runtime that lacks it, where the word is looked at every millisecond.
 */
export async function waitUntilAsync(
  view: Int32Array,
  index: number,
  predicate: (value: number) => boolean,
  options: WaitOptions,
  waitAsync: WaitAsync | null = builtInWaitAsync(),
): Promise<number> {
  requireTimeout('waitUntilAsync', options.timeoutMs);
  const deadline = monotonicMs() + options.timeoutMs;
  for (;;) {
    const value = Atomics.load(view, index);
    if (predicate(value)) return value;
    options.abort.check();
    const left = deadline - monotonicMs();
    if (left <= 0) throw waitTimeout('waitUntilAsync', options, value);
    await sleepAsync(view, index, value, Math.min(left, SLICE_MS), waitAsync);
  }
}

function waitTimeout(where: string, options: WaitOptions, value: number): MonolithError {
  const what = options.what ?? 'a shared word';
  return new MonolithError(
    'WaitTimeout',
    `${where}: ${what} did not come within ${options.timeoutMs} ms (last value ${value}); the thread that should write it is slow or has ended`,
    { where, what, timeoutMs: options.timeoutMs, value },
  );
}

/** The shape of `Atomics.waitAsync`, which the ES2023 library types lack. */
export type WaitAsync = (
  view: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { readonly async: false; readonly value: string } | { readonly async: true; readonly value: Promise<string> };

/** `Atomics.waitAsync` of this runtime, null if it has none. */
export function builtInWaitAsync(): WaitAsync | null {
  const { waitAsync } = Atomics as { waitAsync?: WaitAsync };
  return waitAsync === undefined ? null : waitAsync;
}

/**
 * Ends when `view[index]` is notified, differs from `value` at the call, or `ms` milliseconds have passed; says not which.
 * A pending `Atomics.waitAsync` does not keep the event loop open, so a timer of the same length stands beside it.
 */
export async function sleepAsync(
  view: Int32Array,
  index: number,
  value: number,
  ms: number,
  waitAsync: WaitAsync | null = builtInWaitAsync(),
): Promise<void> {
  if (waitAsync === null) {
    await new Promise<void>((resolve) => setTimeout(resolve, Math.min(ms, POLL_MS)));
    return;
  }
  const pending = waitAsync(view, index, value, ms);
  if (!pending.async) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    void pending.value.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
