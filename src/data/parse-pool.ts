import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { threadArguments } from '../base/index.js';
import type { Parsers } from './native-parsers.js';
import { type ParseTask, runParseTask } from './parse-task.js';

/** Parse threads where the user names no number: a quarter of the cores, since a thread feeds several workers. */
function defaultParseThreads(): number {
  return Math.max(1, Math.min(4, Math.floor(availableParallelism() / 4)));
}

/** Runs parse calls on threads, or on the calling thread when there are none. */
export class ParsePool {
  private readonly pool: Piscina<ParseTask, number[]> | null;
  readonly threads: number;

  constructor(
    private readonly parsers: Parsers,
    threads: number | null,
  ) {
    this.threads = threads ?? defaultParseThreads();
    this.pool =
      this.threads === 0
        ? null
        : new Piscina<ParseTask, number[]>({
            filename: fileURLToPath(new URL('./parse.thread.js', import.meta.url)),
            minThreads: this.threads,
            maxThreads: this.threads,
            // With atomics a waiting thread would block inside Atomics.wait and could not be ended at once.
            atomics: 'disabled',
            ...threadArguments(),
          });
  }

  /** @returns the words of R. */
  async run(task: Omit<ParseTask, 'backend'>): Promise<number[]> {
    const whole: ParseTask = { ...task, backend: this.parsers.name };
    if (this.pool === null) return runParseTask(this.parsers, whole);
    return this.pool.run(whole, { name: 'parse' });
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
  }
}
