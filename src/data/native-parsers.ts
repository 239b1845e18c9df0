import { loadAddon } from '../kernels/index.js';
import type { Program } from './program.js';

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

export type Parsers = {
  readonly name: 'native' | 'reference';
  readonly parseRecords: ParseRecords;
  readonly gatherExamples: GatherExamples;
  readonly selectExamples: SelectExamples;
  readonly shufflePicks: ShufflePicks;
};

type ParserAddon = {
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
  gatherExamples?: GatherExamples;
  selectExamples?: SelectExamples;
  shufflePicks?: ShufflePicks;
};

/** The native parsers, or null where the addon is not built or hidden (MONOLITH_LOCAL_NO_ADDON=1). */
export function loadNativeParsers(): Parsers | null {
  const addon = loadAddon().addon as ParserAddon | null;
  if (addon === null) return null;
  const { parseRecords, gatherExamples, selectExamples, shufflePicks } = addon;
  if (parseRecords === undefined || gatherExamples === undefined || selectExamples === undefined || shufflePicks === undefined) return null;
  return {
    name: 'native',
    parseRecords: (program, raw, start, length, common, shape, block, result) =>
      parseRecords(program.words, program.constants, program.strings, raw, start, length, common, shape, new Uint8Array(block), result),
    gatherExamples,
    selectExamples,
    shufflePicks,
  };
}
