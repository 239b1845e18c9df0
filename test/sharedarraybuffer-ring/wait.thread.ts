import { workerData } from 'node:worker_threads';
import { MonolithError } from '../../src/base/index.js';
import { AbortWord, Counter, waitUntil } from '../../src/sharedarraybuffer-ring/index.js';
import { reportResult } from './report.js';

const { buffer }: { buffer: SharedArrayBuffer } = workerData;
const abort = new AbortWord(buffer, 0);
const counter = new Counter(buffer, 64, abort);
const view = new Int32Array(buffer, 128);

/** 1 if the wait ended with the code, 0 otherwise. */
function endsWith(code: string, wait: () => void): number {
  try {
    wait();
    return 0;
  } catch (error) {
    return MonolithError.from(error).code === code ? 1 : 0;
  }
}

reportResult(() => {
  counter.add(1);
  const value = waitUntil(view, 0, (v) => v !== 0, { timeoutMs: 10_000, abort });
  counter.add(1);
  const count = counter.waitFor(10, 10_000);
  const timedOut = endsWith('WaitTimeout', () => waitUntil(view, 1, (v) => v === 1, { timeoutMs: 20, abort }));
  counter.add(1);
  const aborted = endsWith('Aborted', () => counter.waitFor(100, 10_000));
  return [value, count, timedOut, aborted];
});
