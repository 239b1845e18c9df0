// The command line is a program (main.ts), not a library; this is what tests and wrappers may know of it.
export { ExitCode, exitCodeOf } from './exit-codes.js';
