// Parse thread: started by piscina, one call a raw block.

import type { Parsers } from './native-parsers.js';
import {
  type ChecksumTask,
  type PackTask,
  type ParseOutcome,
  type ParseTask,
  runChecksumTask,
  runPackTask,
  runParseTask,
  runUnpackTask,
  type UnpackTask,
} from './parse-task.js';
import { chooseParsers } from './parsers.js';

const chosen = new Map<string, Parsers>();

function parsersOf({ backend }: { readonly backend: 'native' | 'reference' }): Parsers {
  const known = chosen.get(backend) ?? chooseParsers(backend);
  chosen.set(backend, known);
  return known;
}

/** Entries of the thread. */
export function parse(task: ParseTask): ParseOutcome | Promise<ParseOutcome> {
  return runParseTask(parsersOf(task), task);
}

export function pack(task: PackTask): number[] {
  return runPackTask(parsersOf(task), task);
}

export function unpack(task: UnpackTask): number {
  return runUnpackTask(parsersOf(task), task);
}

export function checksum(task: ChecksumTask): number {
  return runChecksumTask(parsersOf(task), task);
}
