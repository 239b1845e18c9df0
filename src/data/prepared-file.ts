import type { FileDescription } from './inspect.js';
import type { Program } from './program.js';

/** A file that is ready to be parsed. */
export type PreparedFile = { readonly description: FileDescription; readonly program: Program };
