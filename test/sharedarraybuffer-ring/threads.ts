import { Worker } from 'node:worker_threads';
import { MonolithError, type SerializedError } from '../../src/base/index.js';

/** What a thread of these tests reports when it is done. */
export type Report = { readonly ok: true; readonly result: readonly number[] } | { readonly ok: false; readonly error: SerializedError };

/** A thread of these tests. */
export type TestThread = {
  readonly worker: Worker;
  /** Its result; rejects with its error. */
  readonly result: Promise<readonly number[]>;
  /** Resolves when the thread has ended, however it did. */
  readonly exited: Promise<number>;
};

/** Starts `./<name>.thread.js` with `workerData`. */
export function startThread(name: string, workerData: object): TestThread {
  const worker = new Worker(new URL(`./${name}.thread.js`, import.meta.url), { workerData });
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const result = new Promise<readonly number[]>((resolve, reject) => {
    worker.once('message', (report: Report) => (report.ok ? resolve(report.result) : reject(MonolithError.fromJSON(report.error))));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`thread ended with code ${code} before it reported`)));
  });
  result.catch(() => undefined);
  return { worker, result, exited };
}

/** Runs the threads to their results; stops all of them if one fails. */
export async function runThreads(threads: readonly TestThread[]): Promise<(readonly number[])[]> {
  try {
    return await Promise.all(threads.map((thread) => thread.result));
  } finally {
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }
}
