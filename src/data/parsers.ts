import { backendUnavailable, loadAddon } from '../kernels/index.js';
import { loadNativeParsers, type Parsers } from './native-parsers.js';
import { referenceParsers } from './twins/parsers.js';

/**
 * The parsers to use: 'auto' takes the native ones where they are built.
 * @throws BackendUnavailable for 'native' without the addon.
 */
export function chooseParsers(backend: 'auto' | 'native' | 'reference'): Parsers {
  if (backend === 'reference') return referenceParsers;
  const native = loadNativeParsers();
  if (native !== null) return native;
  if (backend === 'auto') return referenceParsers;
  throw backendUnavailable(loadAddon().reason ?? 'it has no parsers: build it again');
}
