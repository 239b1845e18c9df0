import { MonolithError, shapeMismatch } from '../../base/index.js';
import { Combiner } from '../kernel-backend.js';

const fround = Math.fround;

/** What the sum of `ids` rows is multiplied with, in float32. */
function combineFactor(combiner: number, ids: number): number {
  if (combiner === Combiner.mean) return fround(1 / ids);
  if (combiner === Combiner.sqrtn) return fround(1 / Math.sqrt(ids));
  return 1;
}

function checkPool(
  where: string,
  m: number,
  f: number,
  d: number,
  firstExample: number,
  bagOffsets: Int32Array,
  inverse: Int32Array,
  values: Float32Array | null,
  rows: Float32Array,
  rowStride: number,
  sliceOffset: number,
  combiners: Uint8Array,
  outColumns: Int32Array,
  out: Float32Array,
  ldout: number,
): void {
  if (sliceOffset + d > rowStride || d < 1) throw shapeMismatch(where, 'sliceOffset + d', rowStride, sliceOffset + d);
  if (bagOffsets.length < (firstExample + m) * f + 1) {
    throw shapeMismatch(where, 'bagOffsets', (firstExample + m) * f + 1, bagOffsets.length);
  }
  if (combiners.length < f) throw shapeMismatch(where, 'combiners', f, combiners.length);
  if (outColumns.length < f) throw shapeMismatch(where, 'outColumns', f, outColumns.length);
  if (out.length < m * ldout) throw shapeMismatch(where, 'out', [m, ldout], out.length);
  for (let j = 0; j < f; j++) {
    if (combiners[j] > Combiner.sqrtn) {
      throw new MonolithError('InvalidArgument', `${where}: combiners[${j}] is ${combiners[j]}, expected 0, 1 or 2`, { where });
    }
    if (outColumns[j] >= 0 && outColumns[j] + d > ldout) throw shapeMismatch(where, `outColumns[${j}] + d`, ldout, outColumns[j] + d);
  }
  const ids = values === null ? inverse.length : Math.min(inverse.length, values.length);
  const numRows = rows.length < sliceOffset + d ? 0 : Math.floor((rows.length - sliceOffset - d) / rowStride) + 1;
  let previous = 0;
  for (let bag = firstExample * f; m > 0 && f > 0 && bag <= (firstExample + m) * f; bag++) {
    if (bagOffsets[bag] < previous || bagOffsets[bag] > ids) throw shapeMismatch(where, `bagOffsets[${bag}]`, ids, bagOffsets[bag]);
    if (bag > firstExample * f) {
      for (let i = previous; i < bagOffsets[bag]; i++) {
        if (inverse[i] < 0 || inverse[i] >= numRows) throw shapeMismatch(where, `inverse[${i}]`, numRows, inverse[i]);
      }
    }
    previous = bagOffsets[bag];
  }
}

/** Twin of native embeddingPool: sums from 0 in order of ids, each product rounded, then one multiplication by the combiner's factor. */
export function embeddingPool(
  m: number,
  f: number,
  d: number,
  firstExample: number,
  bagOffsets: Int32Array,
  inverse: Int32Array,
  values: Float32Array | null,
  rows: Float32Array,
  rowStride: number,
  sliceOffset: number,
  combiners: Uint8Array,
  outColumns: Int32Array,
  out: Float32Array,
  ldout: number,
): void {
  checkPool(
    'embeddingPool',
    m,
    f,
    d,
    firstExample,
    bagOffsets,
    inverse,
    values,
    rows,
    rowStride,
    sliceOffset,
    combiners,
    outColumns,
    out,
    ldout,
  );
  for (let r = 0; r < m; r++) {
    for (let j = 0; j < f; j++) {
      if (outColumns[j] < 0) continue;
      const bag = (firstExample + r) * f + j;
      const target = r * ldout + outColumns[j];
      out.fill(0, target, target + d);
      for (let i = bagOffsets[bag]; i < bagOffsets[bag + 1]; i++) {
        const row = inverse[i] * rowStride + sliceOffset;
        if (values === null) {
          for (let k = 0; k < d; k++) out[target + k] += rows[row + k];
        } else {
          for (let k = 0; k < d; k++) out[target + k] += fround(rows[row + k] * values[i]);
        }
      }
      const ids = bagOffsets[bag + 1] - bagOffsets[bag];
      if (ids > 1 && combiners[j] !== Combiner.sum) {
        const factor = combineFactor(combiners[j], ids);
        for (let k = 0; k < d; k++) out[target + k] *= factor;
      }
    }
  }
}

/** Twin of native embeddingPoolBackward. */
export function embeddingPoolBackward(
  m: number,
  f: number,
  d: number,
  firstExample: number,
  bagOffsets: Int32Array,
  inverse: Int32Array,
  values: Float32Array | null,
  dRows: Float32Array,
  rowStride: number,
  sliceOffset: number,
  combiners: Uint8Array,
  outColumns: Int32Array,
  dOut: Float32Array,
  lddOut: number,
): void {
  checkPool(
    'embeddingPoolBackward',
    m,
    f,
    d,
    firstExample,
    bagOffsets,
    inverse,
    values,
    dRows,
    rowStride,
    sliceOffset,
    combiners,
    outColumns,
    dOut,
    lddOut,
  );
  for (let r = 0; r < m; r++) {
    for (let j = 0; j < f; j++) {
      if (outColumns[j] < 0) continue;
      const bag = (firstExample + r) * f + j;
      const source = r * lddOut + outColumns[j];
      const combined = combineFactor(combiners[j], bagOffsets[bag + 1] - bagOffsets[bag]);
      for (let i = bagOffsets[bag]; i < bagOffsets[bag + 1]; i++) {
        const row = inverse[i] * rowStride + sliceOffset;
        const factor = values === null ? combined : fround(combined * values[i]);
        for (let k = 0; k < d; k++) dRows[row + k] += fround(dOut[source + k] * factor);
      }
    }
  }
}
