import { shapeMismatch } from '../base/index.js';
import type { BatchSource } from './batch-source.js';
import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';

/** The part of an embedding output that one physical table provides. */
export type EmbeddingPiece = {
  /** Table number = batch group number. */
  readonly table: number;
  /** Features of that table (F of its bags). */
  readonly numFeatures: number;
  /** First float of the slice within a row. */
  readonly sliceOffset: number;
  /** [numFeatures] how each feature's bag is combined. */
  readonly combiners: Uint8Array;
  /** [numFeatures] output column of each feature, −1 when it is not part of this output. */
  readonly outColumns: Int32Array;
};

/**
 * One slice of the features' rows, pooled bag by bag: [F, D]. The features may live in several tables; each writes its own columns.
 * Backward adds into the tables' dRows.
 */
export class EmbeddingBag extends LayerBase {
  readonly kind = 'embedding-bag';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private pieces: readonly EmbeddingPiece[] = [];
  private readonly width: number;

  constructor(
    numFeatures: number,
    private readonly dim: number,
    private readonly source: BatchSource,
  ) {
    super();
    this.outputShape = [numFeatures, dim];
    this.width = numFeatures * dim;
  }

  /** Tells the layer where its slice lies, once the model's tables are laid out. */
  place(pieces: readonly EmbeddingPiece[]): void {
    this.pieces = pieces;
  }

  forward(chunk: ChunkContext): void {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      const input = this.source.sparse[piece.table];
      if (input === undefined) throw shapeMismatch('embedding-bag', 'sparse inputs', piece.table + 1, this.source.sparse.length);
      this.kernels.embeddingPool(
        chunk.rows,
        piece.numFeatures,
        this.dim,
        chunk.firstExample,
        input.bagOffsets,
        input.inverse,
        input.values,
        input.rows,
        input.rowStride,
        piece.sliceOffset,
        piece.combiners,
        piece.outColumns,
        this.buffers.output,
        this.width,
      );
    }
  }

  backward(chunk: ChunkContext): void {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      const input = this.source.sparse[piece.table];
      if (input === undefined) throw shapeMismatch('embedding-bag', 'sparse inputs', piece.table + 1, this.source.sparse.length);
      this.kernels.embeddingPoolBackward(
        chunk.rows,
        piece.numFeatures,
        this.dim,
        chunk.firstExample,
        input.bagOffsets,
        input.inverse,
        input.values,
        input.dRows,
        input.rowStride,
        piece.sliceOffset,
        piece.combiners,
        piece.outColumns,
        this.buffers.dOutput,
        this.width,
      );
    }
  }
}
