import type { OptimizerKind, TableOptions } from '../kernel-backend.js';
import type { SparseKernels } from '../reference/sparse.js';
import { dedupeScratchLength } from '../reference/sparse-dedupe.js';
import type { Addon } from './load.js';
import { typedError } from './native-sparse-errors.js';
import { NativeTable } from './native-table.js';

type SparseAddon = Pick<SparseKernels, 'optimizerStep' | 'dedupe' | 'embeddingPool' | 'embeddingPoolBackward'>;

/** The sparse kernels of the addon. Arguments are checked natively; what it throws becomes a ShapeMismatch. */
export function createNativeSparse(addon: Addon): SparseKernels {
  const native = addon as unknown as SparseAddon;
  return {
    optimizerStep(
      kind: OptimizerKind,
      n: number,
      w: Float32Array,
      grad: Float32Array,
      state: Float32Array,
      learningRate: number,
      hyper: Float64Array,
    ): void {
      try {
        native.optimizerStep(kind, n, w, grad, state, learningRate, hyper);
      } catch (error) {
        throw typedError('optimizerStep', error);
      }
    },
    dedupe(
      fids: BigInt64Array,
      nnz: number,
      numShards: number,
      unique: BigInt64Array,
      inverse: Int32Array,
      shardOffsets: Int32Array,
      scratch: Int32Array,
    ): number {
      try {
        return native.dedupe(fids, nnz, numShards, unique, inverse, shardOffsets, scratch);
      } catch (error) {
        throw typedError('dedupe', error);
      }
    },
    dedupeScratchLength,
    embeddingPool(
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
      try {
        native.embeddingPool(
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
      } catch (error) {
        throw typedError('embeddingPool', error);
      }
    },
    embeddingPoolBackward(
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
      try {
        native.embeddingPoolBackward(
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
      } catch (error) {
        throw typedError('embeddingPoolBackward', error);
      }
    },
    createTable: (options: TableOptions) => new NativeTable(addon, options),
    attachTable: (id: number) => new NativeTable(addon, id),
  };
}
