import type { Worker } from 'node:worker_threads';
import { MonolithError, type SerializedError } from '../base/index.js';
import type { AbortWord } from '../sharedarraybuffer-ring/index.js';
import type { BadBatch } from './bad-batch.js';
import type { ThreadMessage } from './messages.js';

export type ThreadName = { readonly role: 'worker' | 'ps'; readonly index: number };

/** Reason code in the abort word: a thread failed or died. */
const ABORT_FAILED = 1;
/** Reason code in the abort word: the run is being closed. */
export const ABORT_CLOSED = 2;

/**
 * Watches the threads of a run. The first failure is kept, the abort word is set, and with it every wait of every thread ends within 50 ms.
 * A thread that ends before it was told to is a failure too, whatever ended it.
 */
export class Supervisor {
  /** What ended the run, null while it is sound. */
  failure: MonolithError | null = null;
  badBatch: BadBatch | null = null;
  /** Whether what failed here is what ended the run, and not a thread of another supervisor over the same abort word. */
  isCause = false;
  private closing = false;
  /** End the waits of {@link whileSound}. */
  private readonly waits = new Set<(error: MonolithError) => void>();
  private readonly exits: Promise<void>[] = [];
  private readonly ready: Promise<Extract<ThreadMessage, { kind: 'ready' }>>[] = [];

  constructor(private readonly abort: AbortWord) {}

  watch(thread: Worker, name: ThreadName): void {
    const label = name.role === 'ps' ? `PS shard ${name.index}` : `worker ${name.index}`;
    this.ready.push(
      new Promise((resolve, reject) => {
        thread.on('message', (message: ThreadMessage) => {
          if (message.kind === 'ready') resolve(message);
          else {
            this.badBatch ??= message.badBatch ?? null;
            this.fail(failureOf(label, name, message.error));
            reject(this.failure);
          }
        });
        thread.once('error', (error) => {
          this.fail(died(label, `threw ${error.message}`, name, error));
          reject(this.failure);
        });
        thread.once('exit', (code) => {
          if (!this.closing) this.fail(died(label, `ended with exit code ${code}`, name));
          reject(this.failure);
        });
      }),
    );
    this.exits.push(new Promise((resolve) => thread.once('exit', () => resolve())));
  }

  /** Resolves when every thread has said that it is ready; rejects with the first failure. */
  whenReady(): Promise<Extract<ThreadMessage, { kind: 'ready' }>[]> {
    return Promise.all(this.ready);
  }

  /** Throws what ended the run, if it ended. */
  check(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** The error to show for one that a wait threw: the first failure explains an `Aborted`. Gives a thread's own report time to arrive. */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof MonolithError) || error.code !== 'Aborted') return error;
    for (let i = 0; i < EXPLAIN_TRIES && this.failure === null; i++) await new Promise((resolve) => setTimeout(resolve, EXPLAIN_WAIT_MS));
    return this.failure ?? error;
  }

  /** Waits for something outside the cluster, for as long as the cluster is sound. @throws what ended the run meanwhile. */
  whileSound<T>(wait: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.failure !== null) reject(this.failure);
      this.waits.add(reject);
      wait.then(resolve, reject).finally(() => this.waits.delete(reject));
    });
  }

  /** Ends the run for a reason outside its threads, such as a peer that cannot be reached. */
  end(error: MonolithError, badBatch: BadBatch | null = null): void {
    this.badBatch ??= badBatch;
    this.fail(error);
  }

  /** From now on threads may end. */
  expectExit(): void {
    this.closing = true;
  }

  async whenGone(): Promise<void> {
    await Promise.all(this.exits);
  }

  private fail(error: MonolithError): void {
    // A thread that was merely told that the run ends is never the cause.
    if (this.failure === null && error.code !== 'Aborted') this.failure = error;
    if (this.abort.abort(ABORT_FAILED)) this.isCause = true;
    if (this.failure !== null) for (const end of this.waits) end(this.failure);
  }
}

const EXPLAIN_TRIES = 50;
const EXPLAIN_WAIT_MS = 10;

/** A typed error says enough by itself; of one that nobody expected, people must learn in which thread it arose. */
function failureOf(label: string, name: ThreadName, error: SerializedError): MonolithError {
  return error.code === 'Internal' ? died(label, `threw ${error.message}`, name) : MonolithError.fromJSON(error);
}

function died(label: string, how: string, name: ThreadName, cause?: unknown): MonolithError {
  return new MonolithError(
    'WorkerDied',
    `${label} ${how} in the middle of the run; the other threads were stopped. Run the same command again to go on from the last checkpoint`,
    { role: name.role, index: name.index },
    { cause },
  );
}
