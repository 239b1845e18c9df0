import { MonolithError } from '../../base/index.js';

/** The error of a damaged or cut off compressed file. `position` counts bytes of the decompressed stream, `stored` those of the file. */
export function compressedError(
  path: string,
  what: string,
  { stored, position }: { readonly stored: number; readonly position: number },
  check: string,
  cause?: unknown,
): MonolithError {
  return new MonolithError(
    'RecordCorrupt',
    `${path}: ${what} at byte ${stored} of the file, after byte ${position} of the decompressed stream. Fetch the file again${check}`,
    { path, position, stored },
    cause === undefined ? {} : { cause },
  );
}
