import { MonolithError } from '../../base/index.js';
import { type DenseKernels, referenceDense } from '../reference/dense.js';
import type { Addon } from './load.js';

/**
 * The dense kernels of the addon. Each is the addon's own function: types and lengths of the arguments are checked there, and a wrong one
 * throws TypeError (code ERR_MONOLITH_ARGUMENT) or RangeError (ERR_MONOLITH_SHAPE) before any memory is touched.
 *
 * @throws MonolithError BackendUnavailable when the addon lacks a kernel (built from another version).
 */
export function createNativeDense(addon: Addon): DenseKernels {
  const names = Object.keys(referenceDense);
  const missing = names.filter((name) => typeof addon[name] !== 'function');
  if (missing.length > 0) {
    throw new MonolithError(
      'BackendUnavailable',
      `native addon lacks ${missing.join(', ')}: it was built from another version; run 'npx monolith-local doctor --build'`,
      { missing },
    );
  }
  // The addon's functions take the arguments of the methods of the same names; test/contract/kernels holds them to it.
  return Object.fromEntries(names.map((name) => [name, addon[name]])) as unknown as DenseKernels;
}
