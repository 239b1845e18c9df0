import { MonolithError } from '../../base/index.js';

/** What the addon threw as an error of the package: a wrong argument is a ShapeMismatch, no memory Internal; anything typed stays. */
export function typedError(where: string, error: unknown): MonolithError {
  if (error instanceof MonolithError) return error;
  if (error instanceof TypeError || error instanceof RangeError) {
    return new MonolithError('ShapeMismatch', error.message, { where }, { cause: error });
  }
  return MonolithError.from(error);
}
