// Blocks that can hold no example of the wanted part: they are not read.
import type { ColumnarFile, ColumnRange } from '../../columnar/index.js';
import { parseRows } from '../inputs.js';
import type { SplitOptions } from '../options.js';
import type { ColumnarPlan, PlannedBlock } from './plan.js';

const SPACE = 32;

/** Whether a block may hold examples of the part. */
export type BlockFilter = (plan: ColumnarPlan, block: PlannedBlock) => boolean;

export function blockFilter(split: SplitOptions): BlockFilter {
  if (split.part === 'all') return () => true;
  const evaluation = split.part === 'eval';
  if (split.by === 'rows') {
    const rows = parseRows(split.rows) ?? { first: 1, last: 0 };
    return (_, { firstRecord, rows: count }) => {
      const from = firstRecord + 1;
      const to = firstRecord + count;
      return evaluation ? from <= rows.last && to >= rows.first : from < rows.first || to > rows.last;
    };
  }
  if (split.by !== 'column') return () => true;
  const values = (split.evalValues ?? []).map((text) => Buffer.from(text));
  return ({ file }, { group }) => {
    const range = rangeOf(file, group, split.column ?? '');
    if (range === null) return true;
    return evaluation ? values.some((value) => mayOccur(value, range)) : !isOnly(values, range);
  };
}

function rangeOf(file: ColumnarFile, group: number, name: string): ColumnRange | null {
  const column = file.fields.findIndex((field) => field.name === name);
  return column < 0 ? null : file.rangeOf(group, column);
}

/** Whether some value of the range may read as `text`, spaces around it left out. */
function mayOccur(text: Buffer, { least, greatest }: ColumnRange): boolean {
  if (typeof least === 'bigint' || typeof greatest === 'bigint') {
    const digits = text.toString('latin1');
    if (!/^-?\d{1,20}$/.test(digits)) return false;
    const value = BigInt(digits);
    return value >= (least as bigint) && value <= (greatest as bigint);
  }
  // Texts that begin with a space sort before everything else, and those that end with one right behind the text itself.
  if (least.length === 0 || least[0] <= SPACE) return true;
  if (Buffer.compare(text, greatest) > 0) return false;
  return Buffer.compare(text, least) >= 0 || text.equals(least.subarray(0, text.length));
}

/** Whether all rows have one and the same value, and that is among the texts. */
function isOnly(texts: readonly Buffer[], { least, greatest, exact, hasMissing }: ColumnRange): boolean {
  if (hasMissing || !exact) return false;
  if (typeof least === 'bigint' || typeof greatest === 'bigint') {
    return least === greatest && texts.some((text) => text.toString('latin1') === String(least));
  }
  return Buffer.compare(least, greatest) === 0 && texts.some((text) => text.equals(least));
}
