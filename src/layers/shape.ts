import { MonolithError } from '../base/index.js';

/** Number of values of one example of this shape: the product of its sizes. */
export function widthOf(shape: readonly number[]): number {
  let width = 1;
  for (const size of shape) width *= size;
  return width;
}

/** `[26, 16]`, as shown in messages and by `describe`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Throws InvalidModel saying which layer wanted which shape. */
export function wrongShape(layer: string, expected: string, actual: readonly number[]): MonolithError {
  return new MonolithError('InvalidModel', `${layer}: expected an input of shape ${expected}, got ${formatShape(actual)}`, {
    layer,
    expected,
    actual,
  });
}

/** Throws InvalidModel unless `value` is a whole number ≥ `least`. */
export function checkCount(where: string, what: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least) {
    throw new MonolithError('InvalidModel', `${where}: ${what} must be a whole number ≥ ${least}, got ${String(value)}`, { where, what });
  }
}
