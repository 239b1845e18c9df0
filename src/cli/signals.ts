import { ExitCode } from './exit-codes.js';

/** First Ctrl-C or SIGTERM: ends training after the step in hand and saves. Second: ends the process at once. */
export class StopSignals {
  /** Exit code of the signal that came, null while none did. */
  exitCode: number | null = null;
  private readonly controller = new AbortController();
  private readonly onInterrupt = (): void => this.stop(ExitCode.interrupted, 'Ctrl-C');
  private readonly onTerminate = (): void => this.stop(ExitCode.terminated, 'SIGTERM');

  /** @param does what the process does about the first one. */
  constructor(
    private readonly say: (line: string) => void,
    private readonly does = 'saving a checkpoint and stopping',
  ) {
    process.on('SIGINT', this.onInterrupt);
    process.on('SIGTERM', this.onTerminate);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  close(): void {
    process.off('SIGINT', this.onInterrupt);
    process.off('SIGTERM', this.onTerminate);
  }

  private stop(exitCode: number, name: string): void {
    if (this.exitCode !== null) process.exit(exitCode);
    this.exitCode = exitCode;
    this.say(`${name}: ${this.does}; once more ends at once`);
    this.controller.abort();
  }
}
