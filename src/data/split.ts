// Which records belong to the wanted part: a function of a record's place or flag alone, as a few words for the native selection and its twin.
import { mix64, seedFromNames } from '../base/index.js';
import { parseRows } from './inputs.js';
import type { PipelineOptions } from './options.js';

/** Words of a selector (Float64). Keep in step with native/parsers/parsers.h. */
export const S = { kind: 0, evaluation: 1, seedLow: 2, seedHigh: 3, threshold: 4, firstRow: 5, lastRow: 6, words: 8 } as const;
export const SelectorKind = { all: 0, column: 1, rows: 2, fraction: 3 } as const;

/** The selector of the options' split. */
export function recordSelector(options: PipelineOptions): Float64Array {
  const { split } = options;
  const words = new Float64Array(S.words);
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
      const mixed = { low: 0, high: 0 };
      const high = (selector[S.seedHigh] ^ fileIndex ^ Math.floor(record / 0x100000000)) >>> 0;
      mix64((selector[S.seedLow] ^ record) >>> 0, high, mixed);
      return mixed.high < selector[S.threshold] === wantEvaluation;
    }
    default:
      return true;
  }
}
