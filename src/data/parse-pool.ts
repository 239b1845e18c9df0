import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { MonolithError, threadArguments } from '../base/index.js';
import type { Parsers } from './native-parsers.js';
import {
  type ChecksumTask,
  type PackTask,
  type ParseOutcome,
  type ParseTask,
  runChecksumTask,
  runPackTask,
  runParseTask,
  runUnpackTask,
  type UnpackTask,
} from './parse-task.js';
import { P, ProgramFormat } from './program.js';

type Answer = number | number[] | ParseOutcome;
type AnyTask = ParseTask | PackTask | UnpackTask | ChecksumTask;

/** Parse threads where the user names no number: a quarter of the cores, since a thread feeds several workers. */
function defaultParseThreads(): number {
  return Math.max(1, Math.min(4, Math.floor(availableParallelism() / 4)));
}

/** Runs parse calls on threads, or on the calling thread when there are none. Threads start with the first call that wants one. */
export class ParsePool {
  private pool: Promise<Piscina<AnyTask, Answer>> | null = null;
  private closed = false;
  readonly threads: number;

  constructor(
    private readonly parsers: Parsers,
    threads: number | null,
  ) {
    this.threads = threads ?? defaultParseThreads();
  }

  /** @throws RecordCorrupt, DataFormat, DataNotFound, from files that are read by position. */
  async parse(task: Omit<ParseTask, 'backend'>): Promise<{ readonly words: number[]; readonly quotes: readonly string[] | null }> {
    const isBrief = task.program.words[P.format] === ProgramFormat.criteoBin;
    const outcome = await this.run('parse', runParseTask, { ...task, backend: this.parsers.name }, isBrief);
    if ('error' in outcome) throw MonolithError.fromJSON(outcome.error);
    return outcome;
  }

  /** @returns bytes written and their crc32c. */
  pack(task: Omit<PackTask, 'backend'>): Promise<number[]> {
    return this.run('pack', runPackTask, { ...task, backend: this.parsers.name }, false);
  }

  /** @returns a value of UnpackResult. */
  unpack(task: Omit<UnpackTask, 'backend'>): Promise<number> {
    return this.run('unpack', runUnpackTask, { ...task, backend: this.parsers.name }, true);
  }

  checksum(task: Omit<ChecksumTask, 'backend'>): Promise<number> {
    return this.run('checksum', runChecksumTask, { ...task, backend: this.parsers.name }, true);
  }

  /** A brief native call, a quarter of a millisecond a block, runs at once: sending it to a thread and back takes more processor time than that. */
  private async run<T extends AnyTask, R extends Answer>(
    name: string,
    here: (parsers: Parsers, task: T) => R | Promise<R>,
    task: T,
    isBrief: boolean,
  ): Promise<R> {
    if (this.threads === 0 || this.closed || (isBrief && this.parsers.name === 'native')) return here(this.parsers, task);
    this.pool ??= this.start();
    return (await (await this.pool).run(task, { name })) as R;
  }

  /** The package is loaded here, so that threads which never parse do not load it. */
  private async start(): Promise<Piscina<AnyTask, Answer>> {
    const { Piscina } = await import('piscina');
    return new Piscina<AnyTask, Answer>({
      filename: fileURLToPath(new URL('./parse.thread.js', import.meta.url)),
      minThreads: this.threads,
      maxThreads: this.threads,
      // With atomics a waiting thread would block inside Atomics.wait and could not be ended at once.
      atomics: 'disabled',
      ...threadArguments(),
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    await (await this.pool)?.destroy();
  }
}
