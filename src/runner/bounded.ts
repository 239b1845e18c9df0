import { discoveryError } from '../discovery/index.js';

/**
 * One operation of a discovery backend, for at most `timeoutMs`. What it does afterwards is nobody's business any more.
 * @param what for the message: `register ps-0 as ps`.
 * @throws what the operation throws; Discovery (reason Timeout) when it takes longer.
 */
export async function bounded<T>(kind: 'operation' | 'cleanup', what: string, timeoutMs: number, operation: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(discoveryError('Timeout', `Timed out during discovery ${kind}: ${what} after ${timeoutMs}ms`)),
      Math.min(timeoutMs, LONGEST_TIMER_MS),
    );
  });
  try {
    return await Promise.race([(async () => operation())(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Longest time that Node's timers take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves after `delayMs`; rejects at once with the signal's reason. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', stop);
        resolve();
      },
      Math.min(delayMs, LONGEST_TIMER_MS),
    );
    signal.addEventListener('abort', stop, { once: true });
  });
}
