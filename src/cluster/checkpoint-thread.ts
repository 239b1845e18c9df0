import { Worker } from 'node:worker_threads';
import { MonolithError, type SerializedError, threadArguments } from '../base/index.js';
import type { RunSpec, SavedSnapshot, SnapshotJob, SnapshotWriter } from '../steps/index.js';

/** What the thread answers to a job. */
export type WriterAnswer =
  | { readonly kind: 'saved'; readonly saved: SavedSnapshot }
  | { readonly kind: 'failed'; readonly error: SerializedError };

/** How long the thread may take to end after it was told to, before it is terminated. */
const CLOSE_TIMEOUT_MS = 2000;

/** The thread that writes a run's checkpoints while the others train. It is no part of the run: it holds tables by itself, and outlives a run that fails. */
export class CheckpointThread implements SnapshotWriter {
  private readonly thread: Worker;
  private readonly gone: Promise<void>;
  /** How the thread ended. */
  private end: string | null = null;
  private settle: { readonly resolve: (saved: SavedSnapshot) => void; readonly reject: (error: unknown) => void } | null = null;

  /** Starts it; the first job may be given at once. */
  constructor(spec: RunSpec) {
    this.thread = new Worker(new URL('./entry/checkpoint.thread.js', import.meta.url), {
      name: 'checkpoint',
      workerData: { spec },
      ...threadArguments(),
    });
    this.thread.unref();
    this.thread.on('message', (answer: WriterAnswer) => {
      if (answer.kind === 'saved') this.settle?.resolve(answer.saved);
      else this.settle?.reject(MonolithError.fromJSON(answer.error));
    });
    this.gone = new Promise((resolve) => {
      this.thread.once('error', (error) => this.ended(`threw ${error.message}`));
      this.thread.once('exit', (code) => {
        this.ended(`ended with exit code ${code}`);
        resolve();
      });
    });
  }

  /** One at a time. @throws what it failed with; WorkerDied when the thread ends meanwhile */
  async write(job: SnapshotJob): Promise<SavedSnapshot> {
    this.thread.ref();
    try {
      return await new Promise<SavedSnapshot>((resolve, reject) => {
        this.settle = { resolve, reject };
        if (this.end === null) this.thread.postMessage(job);
        else this.ended(this.end);
      });
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      throw new MonolithError(
        'WorkerDied',
        `checkpoint-${job.step} not written: the thread that writes checkpoints ${error.message}. Run the same command again to go on from the last checkpoint`,
        { role: 'checkpoint', step: job.step },
      );
    } finally {
      this.settle = null;
      this.thread.unref();
    }
  }

  async close(): Promise<void> {
    if (this.end === null) {
      this.thread.ref();
      this.thread.postMessage(null);
    }
    const timer = setTimeout(() => void this.thread.terminate(), CLOSE_TIMEOUT_MS);
    await this.gone;
    clearTimeout(timer);
  }

  private ended(how: string): void {
    this.end ??= how;
    this.settle?.reject(new Ended(this.end));
  }
}

class Ended extends Error {}
