import type { Parsers } from './native-parsers.js';
import { type Program, R } from './program.js';

/** One parse call as it travels to a parse thread: shared memory and small numbers only. */
export type ParseTask = {
  readonly backend: 'native' | 'reference';
  readonly program: Program;
  readonly raw: SharedArrayBuffer;
  readonly start: number;
  readonly length: number;
  readonly common: Int32Array;
  readonly shape: Int32Array;
  readonly block: SharedArrayBuffer;
};

/** Runs one parse call; the words of R. */
export function runParseTask(parsers: Parsers, task: ParseTask): number[] {
  const result = new Float64Array(R.words);
  parsers.parseRecords(task.program, new Uint8Array(task.raw), task.start, task.length, task.common, task.shape, task.block, result);
  return [...result];
}
