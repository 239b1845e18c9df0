import type { KernelBackend } from '../kernel-backend.js';
import { referenceCross } from './cross.js';
import { referenceDropout } from './dropout.js';
import { referenceElementwise } from './elementwise.js';
import { referenceGemm } from './gemm.js';
import { referencePackedGemm } from './gemm-packed.js';
import { referenceInteractions } from './interactions.js';
import { referenceLosses } from './losses.js';
import { referenceNormalization } from './normalization.js';

/** The part of a backend that works on dense matrices only: everything but optimizers, ids and tables. */
export type DenseKernels = Omit<
  KernelBackend,
  | 'name'
  | 'instructionSet'
  | 'optimizerStep'
  | 'dedupe'
  | 'dedupeScratchLength'
  | 'embeddingPool'
  | 'embeddingPoolBackward'
  | 'createTable'
  | 'attachTable'
  | 'holdTable'
  | 'openFrozen'
  | 'crc32c'
>;

/**
 * The dense kernels in plain TypeScript: the specification that every other implementation is compared with. Sums run in double and are
 * rounded once. Throws ShapeMismatch for too short a view and InvalidArgument for a wrong number or element type.
 */
export const referenceDense: DenseKernels = {
  ...referenceGemm,
  ...referencePackedGemm,
  ...referenceElementwise,
  ...referenceDropout,
  ...referenceInteractions,
  ...referenceCross,
  ...referenceNormalization,
  ...referenceLosses,
};
