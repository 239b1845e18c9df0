import { MonolithError, shapeMismatch } from '../../base/index.js';
import { type KernelBackend, OptimizerKind, optimizerStateLength, type TableOptions } from '../kernel-backend.js';
import { hyperLength, updateSlice } from './optimizers.js';
import { dedupe, dedupeScratchLength } from './sparse-dedupe.js';
import { embeddingPool, embeddingPoolBackward } from './sparse-pool.js';
import { ReferenceTable } from './table.js';

/** The part of a backend that deals with ids, rows and update rules. */
export type SparseKernels = Pick<
  KernelBackend,
  'optimizerStep' | 'dedupe' | 'dedupeScratchLength' | 'embeddingPool' | 'embeddingPoolBackward' | 'createTable' | 'attachTable'
>;

function optimizerStep(
  kind: OptimizerKind,
  n: number,
  w: Float32Array,
  grad: Float32Array,
  state: Float32Array,
  learningRate: number,
  hyper: Float64Array,
): void {
  if (!Object.values(OptimizerKind).includes(kind)) {
    throw new MonolithError('InvalidArgument', `optimizerStep: unknown optimizer kind ${kind}`, { kind });
  }
  if (w.length < n) throw shapeMismatch('optimizerStep', 'w', n, w.length);
  if (grad.length < n) throw shapeMismatch('optimizerStep', 'grad', n, grad.length);
  const stateLength = optimizerStateLength(kind, n);
  if (state.length < stateLength) throw shapeMismatch('optimizerStep', 'state', stateLength, state.length);
  if (hyper.length < hyperLength(kind)) throw shapeMismatch('optimizerStep', 'hyper', hyperLength(kind), hyper.length);
  if (n > 0) updateSlice(kind, n, w, 0, grad, 0, state, 0, learningRate, hyper);
}

/** The sparse kernels in plain TypeScript: the specification, and what runs without the addon. */
export const referenceSparse: SparseKernels = {
  optimizerStep,
  dedupe,
  dedupeScratchLength,
  embeddingPool,
  embeddingPoolBackward,
  createTable: (options: TableOptions) => new ReferenceTable(options),
  attachTable(id: number): never {
    throw new MonolithError(
      'InvalidArgument',
      `attachTable: table ${id} can't be shared: the reference backend keeps tables to their threads`,
      { id },
    );
  },
};
