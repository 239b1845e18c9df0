import { SeededRandom, seedFromNames } from '../base/index.js';
import type { SparseInput } from '../layers/index.js';
import { BatchHeader, type BatchLayout, BatchSlot } from '../tensor/index.js';
import type { ModelInputs, TablePlan } from './model.js';

/** A batch with the embedding rows that belong to it, as a model meets them in training. */
export type SyntheticBatch = { readonly batch: BatchSlot; readonly sparse: readonly SparseInput[] };

export type SyntheticOptions = {
  readonly examples: number;
  readonly seed: number;
  /** Different ids of each table; small, so that ids repeat. Default 11. */
  readonly idsPerTable?: number;
  /** Ids of one bag: 0 … this, at random; 1 means exactly one. Default 3. */
  readonly maxBagLength?: number;
  /** Row values are uniform in ±this. Default 0.5. */
  readonly rowScale?: number;
};

/**
 * A small random batch for trying a model out: labels 0 or 1, weights 0.5 … 1.5, numeric columns in ±1, bags with repeated ids and, in every
 * second table, values. Depends on the seed only.
 */
export function syntheticBatch(tables: readonly TablePlan[], inputs: ModelInputs, options: SyntheticOptions): SyntheticBatch {
  const { examples, idsPerTable = 11, maxBagLength = 3, rowScale = 0.5 } = options;
  const random = new SeededRandom(seedFromNames(options.seed, 'synthetic-batch'));
  const between = (low: number, high: number) => low + (high - low) * random.nextFloat();
  const layout: BatchLayout = {
    maxExamples: examples,
    numDense: inputs.dense.length,
    groups: tables.map(({ features }, g) => ({
      numFeatures: features.length,
      maxIds: examples * features.length * maxBagLength,
      hasValues: g % 2 === 1,
    })),
  };
  const batch = new BatchSlot(layout, new SharedArrayBuffer(BatchSlot.byteLength(layout)), 0);
  batch.header[BatchHeader.numExamples] = examples;
  batch.header[BatchHeader.globalExamples] = examples;
  for (let r = 0; r < examples; r++) {
    batch.labels[r] = random.nextBelow(2);
    batch.weights[r] = between(0.5, 1.5);
  }
  for (let i = 0; i < batch.dense.length; i++) batch.dense[i] = between(-1, 1);
  const sparse = tables.map((table, g): SparseInput => {
    const { fids, offsets, values } = batch.groups[g];
    const bags = examples * table.features.length;
    const inverse = new Int32Array(fids.length);
    let nnz = 0;
    for (let bag = 0; bag < bags; bag++) {
      const length = maxBagLength === 1 ? 1 : random.nextBelow(maxBagLength + 1);
      for (let k = 0; k < length; k++, nnz++) {
        inverse[nnz] = random.nextBelow(idsPerTable);
        fids[nnz] = BigInt(inverse[nnz]);
        if (values !== null) values[nnz] = between(0.5, 1.5);
      }
      offsets[bag + 1] = nnz;
    }
    batch.header[BatchHeader.ids + g] = nnz;
    const rows = Float32Array.from({ length: idsPerTable * table.dim }, () => between(-rowScale, rowScale));
    return { bagOffsets: offsets, inverse, values, rows, dRows: new Float32Array(rows.length), rowStride: table.dim };
  });
  return { batch, sparse };
}
