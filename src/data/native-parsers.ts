import { loadAddon } from '../kernels/index.js';
import { lastRecordEnd } from './cut.js';
import { otherParser } from './other-parsers.js';
import { ParsedBlock } from './parsed-block.js';
import { Flag, P, type Program, ProgramFormat } from './program.js';

/**
 * One parse call: bytes [start, start + length) of `raw`, whole records, into `block` (a parsed block's memory).
 * @param result [R.words] written.
 */
export type ParseRecords = (
  program: Program,
  raw: Uint8Array,
  start: number,
  length: number,
  common: Int32Array,
  shape: Int32Array,
  block: SharedArrayBuffer,
  result: Float64Array,
) => void;

/**
 * Appends examples to a slot: picks [2 × n] are pairs (block, row); those from `first`, `count` of them.
 * @param shapes one shape a block, one after another.
 * @param slot   the slot's own bytes.
 */
export type GatherExamples = (
  common: Int32Array,
  blocks: readonly Uint8Array[],
  shapes: Int32Array,
  picks: Int32Array,
  first: number,
  count: number,
  slotShape: Int32Array,
  slot: Uint8Array,
) => void;

/**
 * Appends pairs (block, row) of the examples that `selector` (S) wants, none of them bad, to `picks` behind its first `at` pairs.
 * @param picks room for `count` more pairs.
 * @returns pairs in `picks` afterwards.
 */
export type SelectExamples = (
  selector: Float64Array,
  flags: Uint8Array,
  count: number,
  block: number,
  fileIndex: number,
  firstRecord: number,
  picks: Int32Array,
  at: number,
) => number;

/** Puts the first `count` pairs of `picks` into the order of a seed. */
export type ShufflePicks = (picks: Int32Array, count: number, seedLow: number, seedHigh: number) => void;

/**
 * Writes a parsed block's examples, none of them bad, in the packed form to `out`.
 * @param block  the block's memory.
 * @param out    at least packedBound bytes.
 * @param result [2] bytes written, their crc32c.
 */
export type PackBlock = (common: Int32Array, shape: Int32Array, block: Uint8Array, out: Uint8Array, result: Float64Array) => void;

/** What {@link UnpackBlock} found. Keep in step with native/parsers/pack.h. */
export const UnpackResult = { good: 0, checksum: 1, malformed: 2 } as const;

/**
 * Fills a parsed block from packed bytes [start, start + length) after a look at their crc32c.
 * @returns a value of UnpackResult.
 */
export type UnpackBlock = (
  packed: Uint8Array,
  start: number,
  length: number,
  checksum: number,
  common: Int32Array,
  shape: Int32Array,
  block: Uint8Array,
) => number;

/** crc32c of bytes [start, start + length). */
export type Checksum = (bytes: Uint8Array, start: number, length: number) => number;

/** The end of the last whole record in bytes[0, length), which start at a record; 0 when there is none. */
export type LastRecordEnd = (program: Program, bytes: Uint8Array, length: number) => number;

export type Parsers = {
  readonly name: 'native' | 'reference';
  readonly parseRecords: ParseRecords;
  readonly lastRecordEnd: LastRecordEnd;
  readonly gatherExamples: GatherExamples;
  readonly selectExamples: SelectExamples;
  readonly shufflePicks: ShufflePicks;
  readonly packBlock: PackBlock;
  readonly unpackBlock: UnpackBlock;
  readonly checksum: Checksum;
};

type ParserAddon = Partial<Omit<Parsers, 'name' | 'parseRecords' | 'lastRecordEnd'>> & {
  info(): { readonly error?: string };
  parseRecords?(
    words: Int32Array,
    constants: Float64Array,
    strings: Uint8Array,
    raw: Uint8Array,
    start: number,
    length: number,
    common: Int32Array,
    shape: Int32Array,
    block: Uint8Array,
    result: Float64Array,
  ): void;
  /** −1: not decided there. */
  lastRecordEnd?(words: Int32Array, constants: Float64Array, strings: Uint8Array, bytes: Uint8Array, length: number): number;
};

/** The native parsers, or null where the addon is not built or hidden (MONOLITH_LOCAL_NO_ADDON=1). */
export function loadNativeParsers(): Parsers | null {
  const addon = loadAddon().addon as ParserAddon | null;
  if (addon === null) return null;
  const { parseRecords, gatherExamples, selectExamples, shufflePicks, packBlock, unpackBlock, checksum, lastRecordEnd: recordEnd } = addon;
  if (parseRecords === undefined || gatherExamples === undefined || selectExamples === undefined || shufflePicks === undefined) return null;
  if (packBlock === undefined || unpackBlock === undefined || checksum === undefined || recordEnd === undefined) return null;
  return {
    name: 'native',
    parseRecords: (program, raw, start, length, common, shape, block, result) => {
      const other = otherParser(program);
      if (other !== null) return other(program, raw.subarray(start, start + length), new ParsedBlock(block, common, shape), result);
      return parseRecords(
        program.words,
        program.constants,
        program.strings,
        raw,
        start,
        length,
        common,
        shape,
        new Uint8Array(block),
        result,
      );
    },
    lastRecordEnd: (program, bytes, length) => {
      const decided = hasCutOfItsOwn(program) ? recordEnd(program.words, program.constants, program.strings, bytes, length) : -1;
      return decided >= 0 ? decided : lastRecordEnd(program, bytes, length);
    },
    gatherExamples,
    selectExamples,
    shufflePicks,
    packBlock,
    unpackBlock,
    checksum,
  };
}

/** Formats whose records end where their content says; of the others a search for the last line end is enough. */
function hasCutOfItsOwn(program: Program): boolean {
  const format = program.words[P.format];
  return format === ProgramFormat.tfrecord || (format === ProgramFormat.delimited && (program.words[P.flags] & Flag.quotes) !== 0);
}
