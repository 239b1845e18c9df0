import { MonolithError } from '../base/index.js';
import type { KernelBackend } from './kernel-backend.js';
import { type AddonInfo, loadAddon } from './native/load.js';
import { createNativeCheckpoint } from './native/native-checkpoint.js';
import { createNativeDense } from './native/native-dense.js';
import { createNativeSparse } from './native/native-sparse.js';
import { referenceCheckpoint } from './reference/checkpoint.js';
import { referenceDense } from './reference/dense.js';
import { referenceSparse } from './reference/sparse.js';

/** What a run may ask for. */
export type BackendChoice = 'auto' | 'native' | 'reference';

export type SelectedBackend = {
  readonly backend: KernelBackend;
  /** Why `auto` did not take the native backend; null when it did or was not asked to. */
  readonly reason: string | null;
};

/** The plain TypeScript kernels: the specification, and what runs where there is no addon. */
export function referenceBackend(): KernelBackend {
  return { name: 'reference', instructionSet: 'javascript', ...referenceDense, ...referenceSparse, ...referenceCheckpoint };
}

/**
 * The kernels that a thread computes with. `auto` takes the native addon where it loads and the reference kernels otherwise.
 * @throws BackendUnavailable when `native` is asked for and the addon does not load.
 */
export function selectBackend(choice: BackendChoice): SelectedBackend {
  if (choice === 'reference') return { backend: referenceBackend(), reason: null };
  const { addon, reason } = loadAddon();
  if (addon !== null) {
    const info = addon.info();
    return {
      backend: {
        name: 'native',
        instructionSet: info.instructionSet,
        ...createNativeDense(addon),
        ...createNativeSparse(addon),
        ...createNativeCheckpoint(addon),
      },
      reason: null,
    };
  }
  if (choice === 'native') {
    throw backendUnavailable(reason);
  }
  return { backend: referenceBackend(), reason };
}

/** The error of `--backend native` where there is no addon; `reason` is that of {@link loadAddon}. */
export function backendUnavailable(reason: string): MonolithError {
  return new MonolithError(
    'BackendUnavailable',
    `backend native: the native addon can't be used (${reason}). Build it with 'npx monolith-local doctor --build' (needs a C++ compiler), or use --backend auto`,
    { reason },
  );
}

/** What this machine offers, for `doctor`. */
export function describeAddon(): { readonly info: AddonInfo | null; readonly reason: string | null } {
  const { addon, reason } = loadAddon();
  return { info: addon?.info() ?? null, reason };
}
