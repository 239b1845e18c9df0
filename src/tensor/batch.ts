import { MonolithError } from '../base/index.js';

/** Shapes of a batch slot, fixed for a run. */
export type BatchLayout = {
  /** Most examples in one slot (B). */
  readonly maxExamples: number;
  /** Numeric columns (dense features). */
  readonly numDense: number;
  /** One entry a table group: the features whose fids go to the same table. */
  readonly groups: readonly BatchGroupLayout[];
};

export type BatchGroupLayout = {
  /** Features of the group (F). */
  readonly numFeatures: number;
  /** Most fids in one slot for this group (nnz). */
  readonly maxIds: number;
  /** Whether fids carry a float value (LibSVM, LibFFM, weighted bags); otherwise every value is 1. */
  readonly hasValues: boolean;
};

/** Header words of a slot (Int32). Written by the producer before the slot number is sent, read by the consumer after. */
export const BatchHeader = {
  numExamples: 0,
  /** Examples of all workers' batches of the same step: the loss is a mean over these. */
  globalExamples: 1,
  /** nnz of group g is at ids + g. */
  ids: 8,
} as const;
const HEADER_WORDS = 64;
const MAX_GROUPS = HEADER_WORDS - BatchHeader.ids;

/** The ids of one table group of a batch: jagged, example-major. Bag of (example r, feature j) is offsets[r·F + j] … offsets[r·F + j + 1]. */
export type BatchGroup = {
  readonly fids: BigInt64Array;
  /** [B·F + 1] */
  readonly offsets: Int32Array;
  /** [nnz], null when the layout has no values */
  readonly values: Float32Array | null;
};

/**
 * One batch in shared memory: columns over one SharedArrayBuffer range. The same bytes are seen by the thread that fills the slot and the
 * worker that trains on it; only the slot number travels.
 */
export class BatchSlot {
  readonly header: Int32Array;
  /** [B] */
  readonly labels: Float32Array;
  /** [B] example weights; 1 where the data have none */
  readonly weights: Float32Array;
  /** [B, numDense] */
  readonly dense: Float32Array;
  readonly groups: readonly BatchGroup[];

  constructor(
    readonly layout: BatchLayout,
    readonly buffer: SharedArrayBuffer,
    byteOffset: number,
  ) {
    if (layout.groups.length > MAX_GROUPS) {
      throw new MonolithError('InvalidArgument', `a batch has ${layout.groups.length} table groups, at most ${MAX_GROUPS} are possible`);
    }
    if (byteOffset % 16 !== 0) throw new MonolithError('InvalidArgument', `batch slot at byte ${byteOffset}: must be a multiple of 16`);
    let at = byteOffset;
    const take = (bytes: number): number => {
      const start = at;
      at += align64(bytes);
      return start;
    };
    this.header = new Int32Array(buffer, take(HEADER_WORDS * 4), HEADER_WORDS);
    this.labels = new Float32Array(buffer, take(layout.maxExamples * 4), layout.maxExamples);
    this.weights = new Float32Array(buffer, take(layout.maxExamples * 4), layout.maxExamples);
    this.dense = new Float32Array(buffer, take(layout.maxExamples * layout.numDense * 4), layout.maxExamples * layout.numDense);
    this.groups = layout.groups.map((g) => {
      const offsetsLength = layout.maxExamples * g.numFeatures + 1;
      return {
        fids: new BigInt64Array(buffer, take(g.maxIds * 8), g.maxIds),
        offsets: new Int32Array(buffer, take(offsetsLength * 4), offsetsLength),
        values: g.hasValues ? new Float32Array(buffer, take(g.maxIds * 4), g.maxIds) : null,
      };
    });
  }

  get numExamples(): number {
    return this.header[BatchHeader.numExamples] as number;
  }

  get globalExamples(): number {
    return this.header[BatchHeader.globalExamples] as number;
  }

  /** Number of fids of one group. */
  numIds(group: number): number {
    return this.header[BatchHeader.ids + group] as number;
  }

  /** Bytes that a slot of this layout takes; a multiple of 64. */
  static byteLength(layout: BatchLayout): number {
    let bytes = HEADER_WORDS * 4 + 2 * align64(layout.maxExamples * 4) + align64(layout.maxExamples * layout.numDense * 4);
    for (const g of layout.groups) {
      bytes += align64(g.maxIds * 8) + align64((layout.maxExamples * g.numFeatures + 1) * 4) + (g.hasValues ? align64(g.maxIds * 4) : 0);
    }
    return align64(bytes);
  }
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
