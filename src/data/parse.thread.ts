// Parse thread: started by piscina, one call a raw block.

import type { ParseTask } from './parse-task.js';
import { runParseTask } from './parse-task.js';
import { chooseParsers } from './parsers.js';

const chosen = new Map<string, ReturnType<typeof chooseParsers>>();

/** Entry of the thread. */
export function parse(task: ParseTask): number[] {
  let parsers = chosen.get(task.backend);
  if (parsers === undefined) {
    parsers = chooseParsers(task.backend);
    chosen.set(task.backend, parsers);
  }
  return runParseTask(parsers, task);
}
