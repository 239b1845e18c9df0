import type { BatchSlot } from '../tensor/index.js';
import type { SparseInput } from './layer.js';

/**
 * Where the input layers of one graph find the current batch. The model runtime swaps the two fields before each chunk; input layers hold
 * the object itself.
 */
export class BatchSource {
  batch: BatchSlot | null = null;
  /** Entry g: the rows of table g. */
  sparse: readonly SparseInput[] = [];
}
