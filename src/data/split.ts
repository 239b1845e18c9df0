import { mix64, seedFromNames } from '../base/index.js';
import { parseRows } from './inputs.js';
import type { PipelineOptions } from './options.js';

/** Decides of each record whether it belongs to the wanted part. A function of the record's place or flag alone. */
export type RecordSelector = {
  selects(fileIndex: number, record: number, evaluationFlag: boolean, bad: boolean): boolean;
};

/** The selector of the options' split. A bad record whose column value is unknown counts in both parts of a column split. */
export function recordSelector(options: PipelineOptions): RecordSelector {
  const { split } = options;
  if (split.by === 'none' || split.part === 'all') return { selects: () => true };
  const wantEvaluation = split.part === 'eval';
  switch (split.by) {
    case 'column':
      return { selects: (_file, _record, flag, bad) => bad || flag === wantEvaluation };
    case 'rows': {
      const rows = parseRows(split.rows) ?? { first: 0, last: -1 };
      return { selects: (_file, record) => (record + 1 >= rows.first && record + 1 <= rows.last) === wantEvaluation };
    }
    case 'fraction':
      return fractionSelector(options.seed, split.fraction ?? 0, wantEvaluation);
    default:
      return split.by satisfies never;
  }
}

/** eval where the high 32 bits of mix64(seed ⊕ record, file) lie below fraction · 2³². */
function fractionSelector(seed: number, fraction: number, wantEvaluation: boolean): RecordSelector {
  const base = seedFromNames(seed, 'split');
  const threshold = Math.floor(fraction * 0x100000000);
  const mixed = { low: 0, high: 0 };
  return {
    selects(fileIndex, record) {
      mix64((base.low ^ record) >>> 0, (base.high ^ fileIndex ^ Math.floor(record / 0x100000000)) >>> 0, mixed);
      return mixed.high < threshold === wantEvaluation;
    },
  };
}
