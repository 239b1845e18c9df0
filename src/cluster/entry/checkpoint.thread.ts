// Writes checkpoints of frozen states, one at a time, while the threads of the run train on. See training/frozen-snapshot.
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { MonolithError } from '../../base/index.js';
import { type FrozenRows, selectBackend } from '../../kernels/index.js';
import { type RunSpec, SectionMemory, type SnapshotJob, writeFrozen } from '../../steps/index.js';
import type { WriterAnswer } from '../checkpoint-thread.js';

const { spec } = workerData as { spec: RunSpec };

/** How long a table may take to notice that its frozen rows were read; it does so in its next step. Beyond it the table frees them itself. */
const NOTICE_MS = 10_000;
const LOOK_MS = 5;

/**
 * Those who train come first: where threads outnumber cores this one gets about a ninth of the share of one of them. It still writes as fast as the disk
 * takes it through the page cache; at 5 the longest step of a save is above its bound, at 15 saves are slower and steps no faster (docs/performance.md).
 */
const NICENESS = 10;

/** Linux alone gives threads priorities of their own. */
function stepBack(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    if (Number.isInteger(thread)) setPriority(thread, NICENESS);
  } catch {
    // Then it is one thread among equals.
  }
}

const memory = new SectionMemory();
const port = parentPort;
let jobs: Promise<unknown> = Promise.resolve();
let closed = false;

async function work(job: SnapshotJob): Promise<void> {
  const frozen: FrozenRows[] = [];
  let answer: WriterAnswer;
  try {
    const { backend } = selectBackend(spec.backend);
    for (const ids of job.state.tables) frozen.push(backend.openFrozen(ids));
    answer = { kind: 'saved', saved: await writeFrozen(backend, spec, job, frozen, memory) };
  } catch (error) {
    answer = { kind: 'failed', error: MonolithError.from(error).toJSON() };
  }
  for (const rows of frozen) rows.end();
  port?.postMessage(answer);
  // Copies may be gigabytes: given back here, they cost no step anything.
  const until = performance.now() + NOTICE_MS;
  while (!closed && performance.now() < until && frozen.some((rows) => !rows.figures().alone)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  for (const rows of frozen) rows.release();
}

stepBack();
port?.on('message', (job: SnapshotJob | null) => {
  if (job === null) {
    closed = true;
    jobs = jobs.then(() => port.close());
    return;
  }
  jobs = jobs.then(() => work(job));
});
