import { MonolithError } from '../base/index.js';
import type { RowStorage } from '../embedding/index.js';
import { optimizerStateLength } from '../kernels/index.js';
import type { RunSpec, TableSpec } from './run-spec.js';
import type { RowShape } from './table-section.js';

/** Sections of the dense parameters and of their optimizer state. */
export const PARAMETERS = 'dense.parameters';
export const STATE = 'dense.state';

/** Widths of a table's records. */
export function rowShape(table: TableSpec): RowShape {
  let dim = 0;
  let stateLength = 0;
  for (const slice of table.slices) {
    dim += slice.dim;
    stateLength += optimizerStateLength(slice.optimizer.kind, slice.dim);
  }
  return { dim, stateLength };
}

/** What the manifest says of a table. `storage`: how its rows were stored in memory; absent in older checkpoints, which are fp32. */
export type SavedTable = RowShape & {
  readonly name: string;
  readonly rows: number;
  /** Of a delta: rows in its sections, those that have changed since its base. */
  readonly changed?: number;
  readonly storage?: RowStorage;
  readonly sections: readonly string[];
};

/** A value that is not finite would come back with every resume: no such checkpoint is written, the one before stays the newest. */
export function requireFinite(step: number, values: Float32Array, nameOf: (index: number) => string): void {
  // Of finite numbers the sum of 0·x is 0; anything else makes it NaN. One pass without a branch a value.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  if (sum === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  throw new MonolithError(
    'NonFiniteParameters',
    `checkpoint-${step} not written: ${nameOf(at)} is ${values[at]}. Lower the learning rate or clip gradients, and go on from the last checkpoint`,
    { step, index: at, value: String(values[at]) },
  );
}

/** Names one value of a row, by its place in the record. */
export function nameOfValue(table: TableSpec, shape: RowShape, fid: bigint, place: number): string {
  const value = place < shape.dim ? `value ${place}` : `optimizer state ${place - shape.dim}`;
  return `table "${table.name}", id ${BigInt.asUintN(64, fid)}, ${value}`;
}

/** Names one dense parameter, by its place in the flat vector. */
export function parameterAt(spec: RunSpec, index: number): string {
  const owner = spec.tensors.find(({ offset, length }) => index >= offset && index < offset + length);
  return owner === undefined ? `dense parameter ${index}` : `dense parameter "${owner.name}"[${index - owner.offset}]`;
}

export function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
