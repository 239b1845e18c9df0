import { parentPort } from 'node:worker_threads';
import { MonolithError } from '../../src/base/index.js';
import type { Report } from './threads.js';

/** Runs the body of a test thread and reports its numbers or its error. */
export function reportResult(body: () => readonly number[]): void {
  let report: Report;
  try {
    report = { ok: true, result: body() };
  } catch (error) {
    report = { ok: false, error: MonolithError.from(error).toJSON() };
  }
  parentPort?.postMessage(report);
}
