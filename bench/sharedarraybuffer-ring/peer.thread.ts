import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { AbortWord, Barrier, type DescriptorQueue, MpscRing, monotonicMs, Ring } from '../../src/sharedarraybuffer-ring/index.js';

/** What one thread of a measurement does. Memory: [abort word 64 B][forth][back], or [abort word 64 B][barrier]. */
export type PeerJob = {
  readonly role: 'ask' | 'reply' | 'send' | 'receive';
  readonly line: 'Ring' | 'MpscRing' | 'Barrier' | 'postMessage';
  readonly buffer: SharedArrayBuffer;
  readonly port: MessagePort | null;
  /** Looks before sleeping; null for the default. */
  readonly spins: number | null;
  /** Round trips, or messages of one run. */
  readonly count: number;
  /** Runs of a throughput measurement, all producers together. */
  readonly runs: number;
  readonly producers: number;
};

export const SLOTS = 1024;
export const WORDS = 4;
const TIMEOUT_MS = 60_000;

const job: PeerJob = workerData;
const abort = new AbortWord(job.buffer, 0);
const options = job.spins === null ? {} : { spins: job.spins };

function queueAt(byteOffset: number): DescriptorQueue {
  return new (job.line === 'Ring' ? Ring : MpscRing)(job.buffer, byteOffset, SLOTS, WORDS, abort, options);
}

function portOf(): MessagePort {
  if (job.port === null) throw new Error('postMessage needs a port');
  return job.port;
}

/** Runs `round` count times after a tenth as warm-up; microseconds of each, and of all divided by count as the last element. */
function timeRounds(round: (i: number) => void): Float64Array {
  for (let i = 0; i < job.count / 10; i++) round(i);
  const times = new Float64Array(job.count + 1);
  const start = monotonicMs();
  let before = start;
  for (let i = 0; i < job.count; i++) {
    round(i);
    const now = monotonicMs();
    times[i] = (now - before) * 1000;
    before = now;
  }
  times[job.count] = ((before - start) * 1000) / job.count;
  return times;
}

async function askOverPort(): Promise<Float64Array> {
  const port = portOf();
  const times = new Float64Array(job.count + 1);
  let wake: () => void = () => undefined;
  port.on('message', () => wake());
  const round = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      port.postMessage(1);
    });
  for (let i = 0; i < job.count / 10; i++) await round();
  const start = monotonicMs();
  let before = start;
  for (let i = 0; i < job.count; i++) {
    await round();
    const now = monotonicMs();
    times[i] = (now - before) * 1000;
    before = now;
  }
  times[job.count] = ((before - start) * 1000) / job.count;
  port.postMessage(null);
  port.close();
  return times;
}

function ask(): Float64Array | Promise<Float64Array> {
  if (job.line === 'postMessage') return askOverPort();
  if (job.line === 'Barrier') {
    const barrier = new Barrier(job.buffer, 64, 2, abort, options);
    return timeRounds(() => barrier.wait(0, TIMEOUT_MS));
  }
  const forth = queueAt(64);
  const back = queueAt(64 + (job.line === 'Ring' ? Ring : MpscRing).byteLength(SLOTS, WORDS));
  const words = new Int32Array(WORDS);
  const times = timeRounds((i) => {
    words[0] = i;
    forth.push(words, TIMEOUT_MS);
    back.pop(words, TIMEOUT_MS);
  });
  forth.close();
  return times;
}

function reply(): void {
  if (job.line === 'postMessage') {
    const port = portOf();
    port.on('message', (message: unknown) => (message === null ? port.close() : port.postMessage(message)));
    return;
  }
  if (job.line === 'Barrier') {
    const barrier = new Barrier(job.buffer, 64, 2, abort, options);
    const rounds = Math.ceil(job.count / 10) + job.count;
    for (let i = 0; i < rounds; i++) barrier.wait(1, TIMEOUT_MS);
    return;
  }
  const forth = queueAt(64);
  const back = queueAt(64 + (job.line === 'Ring' ? Ring : MpscRing).byteLength(SLOTS, WORDS));
  const words = new Int32Array(WORDS);
  while (forth.pop(words, TIMEOUT_MS)) back.push(words, TIMEOUT_MS);
}

function send(): void {
  const messages = ((job.runs + 1) * job.count) / job.producers;
  if (job.line === 'postMessage') {
    const port = portOf();
    for (let i = 0; i < messages; i++) port.postMessage({ table: 1, offset: i, count: 2, step: 3 });
    port.close();
    return;
  }
  const queue = queueAt(64);
  const words = new Int32Array(WORDS);
  for (let i = 0; i < messages; i++) {
    words[0] = i;
    queue.push(words, TIMEOUT_MS);
  }
}

/** Messages a second of each run; the first one warms up and is left out. */
async function receive(): Promise<Float64Array> {
  const rates = new Float64Array(job.runs);
  if (job.line === 'postMessage') {
    const port = portOf();
    let received = 0;
    let before = 0;
    await new Promise<void>((resolve) => {
      port.on('message', () => {
        received++;
        if (received % job.count !== 0) return;
        const now = monotonicMs();
        const run = received / job.count - 2;
        if (run >= 0) rates[run] = job.count / ((now - before) / 1000);
        before = now;
        if (run === job.runs - 1) resolve();
      });
    });
    return rates;
  }
  const queue = queueAt(64);
  const words = new Int32Array(WORDS);
  for (let run = -1; run < job.runs; run++) {
    const before = monotonicMs();
    for (let i = 0; i < job.count; i++) queue.pop(words, TIMEOUT_MS);
    if (run >= 0) rates[run] = job.count / ((monotonicMs() - before) / 1000);
  }
  return rates;
}

switch (job.role) {
  case 'ask':
    parentPort?.postMessage(await ask());
    break;
  case 'reply':
    reply();
    break;
  case 'send':
    send();
    break;
  case 'receive':
    parentPort?.postMessage(await receive());
    break;
  default:
    job.role satisfies never;
}
