import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What `info()` of the addon tells. */
export type AddonInfo = {
  readonly instructionSet: 'scalar' | 'avx2' | 'avx512' | 'avx512-bf16' | 'neon';
  readonly available: readonly string[];
  /** Set when MONOLITH_LOCAL_ISA names an instruction set that can't run here. */
  readonly error?: string;
};

/** The raw addon: functions with positional arguments, checked natively. Only this folder calls them. */
export type Addon = { info(): AddonInfo } & { readonly [name: string]: (...args: never[]) => unknown };

export type AddonResult = { readonly addon: Addon; readonly reason: null } | { readonly addon: null; readonly reason: string };

/** Where the build puts the addon: native/out beside dist/ and src/. */
const addonPath = fileURLToPath(new URL('../../../../native/out/monolith_local.node', import.meta.url));

/**
 * Loads the native addon, once per thread (Node caches it). Never throws: `reason` says in one line why there is none.
 * MONOLITH_LOCAL_NO_ADDON=1 hides it, for tests of the machine without a compiler.
 */
export function loadAddon(): AddonResult {
  if (process.env.MONOLITH_LOCAL_NO_ADDON === '1') return { addon: null, reason: 'hidden by MONOLITH_LOCAL_NO_ADDON=1' };
  try {
    const addon = createRequire(import.meta.url)(addonPath) as Addon;
    const error = addon.info().error;
    return error === undefined ? { addon, reason: null } : { addon: null, reason: error };
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { addon: null, reason: text.includes('Cannot find module') ? 'not built' : text };
  }
}
