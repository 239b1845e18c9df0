import { MonolithError, shapeMismatch } from '../../base/index.js';
import type { Activation } from '../kernel-backend.js';

/** Throws InvalidArgument unless every value is a whole number ≥ 0. */
export function requireSizes(where: string, ...sizes: readonly number[]): void {
  for (const size of sizes) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new MonolithError('InvalidArgument', `${where}: a size is ${size}, expected a whole number ≥ 0`, { where, size: String(size) });
    }
  }
}

/** Throws InvalidArgument unless `view` is a Float32Array, ShapeMismatch if it has fewer than `length` elements. */
export function requireVector(where: string, what: string, view: Float32Array, length: number): void {
  if (!(view instanceof Float32Array)) {
    throw new MonolithError('InvalidArgument', `${where}: ${what} is no Float32Array`, { where, what });
  }
  if (view.length < length) throw shapeMismatch(where, what, length, view.length);
}

/** As {@link requireVector} for a [rows, columns] matrix with row distance `distance`, which must be ≥ columns. */
export function requireMatrix(where: string, what: string, view: Float32Array, rows: number, columns: number, distance: number): void {
  requireSizes(where, distance);
  if (rows > 1 && distance < columns) {
    throw new MonolithError(
      'InvalidArgument',
      `${where}: row distance of ${what} is ${distance}, expected at least its ${columns} columns`,
      {
        where,
        what,
      },
    );
  }
  requireVector(where, what, view, rows === 0 || columns === 0 ? 0 : (rows - 1) * distance + columns);
}

/** Throws InvalidArgument for anything but 0 … 3. */
export function requireActivation(where: string, activation: Activation): void {
  if (!(activation === 0 || activation === 1 || activation === 2 || activation === 3)) {
    throw new MonolithError('InvalidArgument', `${where}: unknown activation ${String(activation)}, expected 0 to 3`, { where });
  }
}
