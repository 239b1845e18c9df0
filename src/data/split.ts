// Which records belong to the wanted part: a function of a record's place or flag alone, as a few words for the native selection and its twin.
import { mix64, seedFromNames } from '../base/index.js';
import { maxSamplings } from '../features/index.js';
import { samplingsOf } from './compile-filters.js';
import { parseRows } from './inputs.js';
import type { PipelineOptions } from './options.js';
import { ExampleFlag } from './program.js';

/** Words of a selector (Float64). Keep in step with native/parsers/parsers.h. */
export const S = {
  kind: 0,
  evaluation: 1,
  seedLow: 2,
  seedHigh: 3,
  threshold: 4,
  firstRow: 5,
  lastRow: 6,
  sampleLow: 7,
  sampleHigh: 8,
  sampleRates: 9,
  words: 16,
} as const;
export const SelectorKind = { all: 0, column: 1, rows: 2, fraction: 3 } as const;

/** The selector of the options' split. */
export function recordSelector(options: PipelineOptions): Float64Array {
  const { split } = options;
  const words = new Float64Array(S.words);
  const sampleSeed = seedFromNames(options.seed, 'sample');
  words[S.sampleLow] = sampleSeed.low;
  words[S.sampleHigh] = sampleSeed.high;
  samplingsOf(options.schema?.filters).forEach(({ rate }, k) => {
    words[S.sampleRates + k] = options.sampling ? Math.floor(rate * 0x100000000) : 0x100000000;
  });
  if (split.by === 'none' || split.part === 'all') return words;
  words[S.evaluation] = split.part === 'eval' ? 1 : 0;
  switch (split.by) {
    case 'column':
      words[S.kind] = SelectorKind.column;
      return words;
    case 'rows': {
      const rows = parseRows(split.rows) ?? { first: 0, last: -1 };
      words[S.kind] = SelectorKind.rows;
      words[S.firstRow] = rows.first;
      words[S.lastRow] = rows.last;
      return words;
    }
    case 'fraction': {
      const base = seedFromNames(options.seed, 'split');
      words[S.kind] = SelectorKind.fraction;
      words[S.seedLow] = base.low;
      words[S.seedHigh] = base.high;
      words[S.threshold] = Math.floor((split.fraction ?? 0) * 0x100000000);
      return words;
    }
    default:
      return split.by satisfies never;
  }
}

/** 32 bits of a seed and a record's place. */
function placeHash(seedLow: number, seedHigh: number, fileIndex: number, record: number): number {
  const mixed = { low: 0, high: 0 };
  mix64((seedLow ^ record) >>> 0, (seedHigh ^ fileIndex ^ Math.floor(record / 0x100000000)) >>> 0, mixed);
  return mixed.high;
}

/** Whether filters and sampling let a record of the part pass; `flags` are its ExampleFlags. The hash is as in a split by fraction, of another seed. */
export function passes(selector: Float64Array, fileIndex: number, record: number, flags: number): boolean {
  if ((flags & (ExampleFlag.leftOut | ExampleFlag.anySampled)) === 0) return true;
  if ((flags & ExampleFlag.leftOut) !== 0) return false;
  const hash = placeHash(selector[S.sampleLow], selector[S.sampleHigh], fileIndex, record);
  for (let k = 0; k < maxSamplings; k++) {
    if ((flags & (ExampleFlag.sampled << k)) !== 0 && hash >= selector[S.sampleRates + k]) return false;
  }
  return true;
}

/**
 * Whether a record belongs to the part. A bad record whose column value is unknown counts in both parts of a column split; by fraction it is
 * eval where the high 32 bits of mix64(seed ⊕ record, file) lie below fraction · 2³².
 */
export function selects(selector: Float64Array, fileIndex: number, record: number, evaluationFlag: boolean, bad: boolean): boolean {
  const wantEvaluation = selector[S.evaluation] !== 0;
  switch (selector[S.kind]) {
    case SelectorKind.column:
      return bad || evaluationFlag === wantEvaluation;
    case SelectorKind.rows:
      return (record + 1 >= selector[S.firstRow] && record + 1 <= selector[S.lastRow]) === wantEvaluation;
    case SelectorKind.fraction: {
      return placeHash(selector[S.seedLow], selector[S.seedHigh], fileIndex, record) < selector[S.threshold] === wantEvaluation;
    }
    default:
      return true;
  }
}
