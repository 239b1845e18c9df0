import type { Parsers } from './native-parsers.js';
import { type Program, R } from './program.js';

type Backend = { readonly backend: 'native' | 'reference' };

/** A parsed block's memory as it travels. */
export type BlockMemory = { readonly common: Int32Array; readonly shape: Int32Array; readonly block: SharedArrayBuffer };

/** One parse call as it travels to a parse thread: shared memory and small numbers only. */
export type ParseTask = Backend &
  BlockMemory & { readonly program: Program; readonly raw: SharedArrayBuffer; readonly start: number; readonly length: number };

/** One packing call: the block's examples into `out`. */
export type PackTask = Backend & BlockMemory & { readonly out: SharedArrayBuffer };

/** One unpacking call: bytes [start, start + length) of `packed` into the block. */
export type UnpackTask = Backend &
  BlockMemory & { readonly packed: SharedArrayBuffer; readonly start: number; readonly length: number; readonly checksum: number };

/** The crc32c of bytes [0, length). */
export type ChecksumTask = Backend & { readonly bytes: SharedArrayBuffer; readonly length: number };

/** Runs one parse call; the words of R. */
export function runParseTask(parsers: Parsers, task: ParseTask): number[] {
  const result = new Float64Array(R.words);
  parsers.parseRecords(task.program, new Uint8Array(task.raw), task.start, task.length, task.common, task.shape, task.block, result);
  return [...result];
}

/** Runs one packing call; bytes written and their crc32c. */
export function runPackTask(parsers: Parsers, { common, shape, block, out }: PackTask): number[] {
  const result = new Float64Array(2);
  parsers.packBlock(common, shape, new Uint8Array(block), new Uint8Array(out), result);
  return [...result];
}

/** Runs one unpacking call; a value of UnpackResult. */
export function runUnpackTask(parsers: Parsers, { packed, start, length, checksum, common, shape, block }: UnpackTask): number {
  return parsers.unpackBlock(new Uint8Array(packed), start, length, checksum, common, shape, new Uint8Array(block));
}

export function runChecksumTask(parsers: Parsers, { bytes, length }: ChecksumTask): number {
  return parsers.checksum(new Uint8Array(bytes), 0, length);
}
