import { MonolithError } from '../../base/index.js';
import { InitializerKind, OptimizerKind, optimizerStateLength, RowFormat, type SliceLayout, type TableOptions } from '../kernel-backend.js';
import { hyperLength } from './optimizers.js';

/** Row numbers are int32. */
export const MAX_ROWS = 0x7fffffff;
const MAX_SLICES = 64;
const MAX_DIM = 1 << 24;

/** Where a table's slices lie in a record: values first, then the state of each slice. */
export type RecordLayout = {
  readonly dim: number;
  readonly stateLength: number;
  /** Of each slice: floats from the start of the record to its values and to its state. */
  readonly offsets: readonly number[];
  readonly stateOffsets: readonly number[];
};

/** Layout of a record of these slices. */
export function recordLayout(slices: readonly SliceLayout[]): RecordLayout {
  const dim = slices.reduce((sum, slice) => sum + slice.dim, 0);
  const offsets: number[] = [];
  const stateOffsets: number[] = [];
  let offset = 0;
  let stateOffset = dim;
  for (const slice of slices) {
    offsets.push(offset);
    stateOffsets.push(stateOffset);
    offset += slice.dim;
    stateOffset += optimizerStateLength(slice.optimizer.kind, slice.dim);
  }
  return { dim, stateLength: stateOffset - dim, offsets, stateOffsets };
}

function invalid(what: string, expected: string, actual: string | number): MonolithError {
  return new MonolithError('InvalidArgument', `createTable: ${what} is ${actual}, expected ${expected}`, { what, expected, actual });
}

/** Throws InvalidArgument naming the first option that no table can have. */
export function checkTableOptions(options: TableOptions): void {
  const { slices, seedLow, seedHigh, maxRows, segmentRows } = options;
  if (slices.length === 0 || slices.length > MAX_SLICES) throw invalid('number of slices', `1 to ${MAX_SLICES}`, slices.length);
  slices.forEach((slice, k) => {
    const { kind, hyper } = slice.optimizer;
    if (!Number.isInteger(slice.dim) || slice.dim < 1 || slice.dim > MAX_DIM) {
      throw invalid(`slices[${k}].dim`, `a whole number in 1..${MAX_DIM}`, slice.dim);
    }
    if (!Object.values(InitializerKind).includes(slice.initializer.kind)) {
      throw invalid(`slices[${k}].initializer.kind`, 'an InitializerKind', slice.initializer.kind);
    }
    if (!Number.isFinite(slice.initializer.a) || !Number.isFinite(slice.initializer.b)) {
      throw invalid(`slices[${k}].initializer`, 'finite a and b', `${slice.initializer.a}, ${slice.initializer.b}`);
    }
    if (!Object.values(OptimizerKind).includes(kind)) throw invalid(`slices[${k}].optimizer.kind`, 'an OptimizerKind', kind);
    if (hyper.length !== hyperLength(kind) || !hyper.every(Number.isFinite)) {
      throw invalid(`slices[${k}].optimizer.hyper`, `${hyperLength(kind)} finite numbers`, `[${hyper.join(', ')}]`);
    }
  });
  const { format = RowFormat.fp32 } = options;
  if (!Object.values(RowFormat).includes(format)) throw invalid('format', 'a RowFormat', format);
  const total = slices.reduce((sum, slice) => sum + slice.dim, 0);
  if (total > MAX_DIM) throw invalid('sum of dims', `at most ${MAX_DIM}`, total);
  for (const [name, half] of [
    ['seedLow', seedLow],
    ['seedHigh', seedHigh],
  ] as const) {
    if (!Number.isInteger(half) || half < 0 || half > 0xffffffff) throw invalid(name, 'an unsigned 32-bit number', half);
  }
  if (!Number.isInteger(maxRows) || maxRows < 1 || maxRows > MAX_ROWS)
    throw invalid('maxRows', `a whole number in 1..${MAX_ROWS}`, maxRows);
  if (!Number.isInteger(segmentRows) || segmentRows < 1 || segmentRows > 1 << 30 || (segmentRows & (segmentRows - 1)) !== 0) {
    throw invalid('segmentRows', 'a power of two up to 2^30', segmentRows);
  }
}

/** The error of a creating lookup or a load that goes beyond `maxRows`. */
export function tableFull(where: string, size: number, missing: number, maxRows: number): MonolithError {
  return new MonolithError(
    'TableFull',
    `${where}: ${missing} new rows on top of ${size} would exceed maxRows = ${maxRows} of this shard; nothing was created. Raise table.maxRows (shared out evenly over the shards), or bucketise or leave out features with very many ids`,
    { where, size, missing, maxRows },
  );
}

/** Throws InvalidArgument unless bucketBits is in 0..32 and bucket below 2^bucketBits. */
export function checkBucket(where: string, bucketBits: number, bucket: number): void {
  const valid = Number.isInteger(bucketBits) && bucketBits >= 0 && bucketBits <= 32 && Number.isInteger(bucket) && bucket >= 0;
  if (!valid || bucket >= 2 ** bucketBits) {
    throw new MonolithError(
      'InvalidArgument',
      `${where}: bucket ${bucket} of ${bucketBits} bits; expected bits in 0..32 and bucket below 2^bits`,
      { where, bucketBits, bucket },
    );
  }
}
