import { MonolithError, type SerializedError } from '../base/index.js';
import type { Parsers } from './native-parsers.js';
import { ParsedBlock } from './parsed-block.js';
import { P, type Program, ProgramFormat, R } from './program.js';

type Backend = { readonly backend: 'native' | 'reference' };

/** A parsed block's memory as it travels. */
export type BlockMemory = { readonly common: Int32Array; readonly shape: Int32Array; readonly block: SharedArrayBuffer };

/** One parse call as it travels to a parse thread: shared memory and small numbers only. */
export type ParseTask = Backend &
  BlockMemory & {
    readonly program: Program;
    readonly raw: SharedArrayBuffer;
    readonly start: number;
    readonly length: number;
    /** Where the raw bytes come from, for messages. */
    readonly place: { readonly path: string; readonly byteOffset: number };
  };

/** One packing call: the block's examples into `out`. */
export type PackTask = Backend & BlockMemory & { readonly out: SharedArrayBuffer };

/** One unpacking call: bytes [start, start + length) of `packed` into the block. */
export type UnpackTask = Backend &
  BlockMemory & { readonly packed: SharedArrayBuffer; readonly start: number; readonly length: number; readonly checksum: number };

/** The crc32c of bytes [0, length). */
export type ChecksumTask = Backend & { readonly bytes: SharedArrayBuffer; readonly length: number };

/** What a parse call says: the words of R, and where bytes can't tell it what the first bad records hold; or why all of it is of no use. */
export type ParseOutcome = { readonly words: number[]; readonly quotes: readonly string[] | null } | { readonly error: SerializedError };

/** Runs one parse call. */
export function runParseTask(parsers: Parsers, task: ParseTask): ParseOutcome | Promise<ParseOutcome> {
  if (isPlanned(task.program)) return outcomeOf(() => runColumnarTask(task));
  if (task.program.words[P.format] === ProgramFormat.avro) return outcomeOf(() => runAvroTask(task));
  const result = new Float64Array(R.words);
  parsers.parseRecords(task.program, new Uint8Array(task.raw), task.start, task.length, task.common, task.shape, task.block, result);
  return { words: [...result], quotes: null };
}

/** Whether start and length of a task count rows of a planned block, and not bytes. */
export function isPlanned({ words }: Program): boolean {
  return words[P.format] === ProgramFormat.parquet || words[P.format] === ProgramFormat.arrow;
}

type Parsed = { readonly words: Float64Array; readonly quotes: readonly string[] };

async function outcomeOf(parse: () => Promise<Parsed>): Promise<ParseOutcome> {
  try {
    const { words, quotes } = await parse();
    return { words: [...words], quotes };
  } catch (error) {
    // An error's own members do not cross a thread border.
    return { error: MonolithError.from(error).toJSON() };
  }
}

async function runColumnarTask({ program, raw, start, length, common, shape, block }: ParseTask): Promise<Parsed> {
  const { parseColumnarBlock } = await import('./columnar/task.js');
  return parseColumnarBlock(program, new Uint8Array(raw), start, length, new ParsedBlock(block, common, shape));
}

async function runAvroTask({ program, raw, start, length, common, shape, block, place }: ParseTask): Promise<Parsed> {
  const { parseAvro } = await import('./columnar/avro.js');
  const from = { path: place.path, byteOffset: place.byteOffset + start };
  return parseAvro(program, new Uint8Array(raw, start, length), new ParsedBlock(block, common, shape), from);
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
