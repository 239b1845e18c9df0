import { once } from 'node:events';
import { ExitCode, exitCodeOf } from './exit-codes.js';

/** Where a command writes: results to standard output, everything else to standard error. */
export type Output = {
  result(text: string): void;
  /** Results without end: resolves when there is room for more. */
  pour(text: string): Promise<void>;
  talk(text: string): void;
  /** The process is to end when the command has, whatever else is still under way, such as a connection to a host that is gone. */
  leaveAtEnd(): void;
};

/**
 * The streams of the process. A reader that closes standard output early (head, less) ends the program quietly, unless `keepRunning`: a
 * training run goes on, with nobody listening. Output that is lost for another reason, such as a full disk, ends it with an error.
 */
export function processOutput(keepRunning: boolean): Output & { end(): Promise<void> } {
  let leave = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (!keepRunning) process.exit(ExitCode.done);
      return;
    }
    const code = error.code === 'ENOSPC' ? 'DiskFull' : 'WriteFailed';
    process.stderr.write(`${code}  standard output: ${error.message}\n`);
    process.exit(exitCodeOf(code));
  });
  // Who stops listening to what a run tells does not stop the run.
  process.stderr.on('error', () => {});
  return {
    result: (text) => {
      process.stdout.write(text);
    },
    pour: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    },
    talk: (text) => {
      process.stderr.write(text);
    },
    leaveAtEnd: () => {
      leave = true;
    },
    end: async () => {
      if (!leave) return;
      for (const stream of [process.stdout, process.stderr]) {
        if (!stream.destroyed) await new Promise<void>((resolve) => stream.write('', () => resolve()));
      }
      process.exit();
    },
  };
}
