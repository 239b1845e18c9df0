// Rings and barrier against postMessage, in one run, on two worker threads:
//   node dist/bench/sharedarraybuffer-ring/ring.bench.js
// Figures depend on nothing else running; the table says how many cores there were.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { AbortWord, Barrier, MpscRing, Ring } from '../../src/sharedarraybuffer-ring/index.js';
import { benchArguments, millisecondsOf, report, wanted } from '../lib/report.js';
import type { PeerJob } from './peer.thread.js';

const SLOTS = 1024;
const WORDS = 4;
/** Repetitions of a round-trip measurement. */
const RUNS = 5;

/** Counts below are for one second a part. */
const scale = Math.min(1, benchArguments.seconds);

function start(job: PeerJob): Worker {
  const transferList: MessagePort[] = job.port === null ? [] : [job.port];
  return new Worker(new URL('./peer.thread.js', import.meta.url), { workerData: job, transferList });
}

/** Starts the threads of one measurement and gives the numbers of the one that measures (the first). */
async function measure(jobs: readonly PeerJob[]): Promise<Float64Array> {
  const workers = jobs.map(start);
  const ended = workers.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
  const numbers = await new Promise<Float64Array>((resolve, reject) => {
    workers[0].once('message', resolve);
    for (const worker of workers) worker.once('error', reject);
  });
  await Promise.all(ended);
  return numbers;
}

function memory(): SharedArrayBuffer {
  return new SharedArrayBuffer(64 + 2 * MpscRing.byteLength(SLOTS, WORDS) + Barrier.byteLength(2));
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

async function roundTrip(line: PeerJob['line'], spins: number | null, count: number): Promise<{ p50: number; p99: number; mean: number }> {
  const { port1, port2 } = new MessageChannel();
  const usesPort = line === 'postMessage';
  if (!usesPort) port1.close();
  const shared = { line, buffer: memory(), spins, count, runs: 1, producers: 1 };
  const times = await measure([
    { ...shared, role: 'ask', port: usesPort ? port1 : null },
    { ...shared, role: 'reply', port: usesPort ? port2 : null },
  ]);
  const sorted = times.slice(0, count).sort();
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), mean: times[count] };
}

async function throughput(line: PeerJob['line'], producers: number, count: number): Promise<Float64Array> {
  const { port1, port2 } = new MessageChannel();
  const usesPort = line === 'postMessage';
  if (!usesPort) port1.close();
  const shared = { line, buffer: memory(), spins: null, count, runs: 10, producers };
  const senders = Array.from({ length: producers }, () => ({ ...shared, role: 'send' as const, port: usesPort ? port2 : null }));
  return (await measure([{ ...shared, role: 'receive', port: usesPort ? port1 : null }, ...senders])).sort();
}

const lines = [
  { name: 'postMessage', line: 'postMessage', spins: null, count: 20_000 },
  { name: 'Ring', line: 'Ring', spins: null, count: 200_000 },
  { name: 'Ring, sleep at once', line: 'Ring', spins: 0, count: 20_000 },
  { name: 'MpscRing', line: 'MpscRing', spins: null, count: 200_000 },
  { name: 'Barrier', line: 'Barrier', spins: null, count: 200_000 },
  { name: 'Barrier, sleep at once', line: 'Barrier', spins: 0, count: 20_000 },
] as const;
for (const { name, line, spins, count } of lines) {
  const full = `${name}: ${line === 'Barrier' ? 'one meeting' : 'round trip'}`;
  if (!wanted(full)) continue;
  const runs = [];
  for (let run = 0; run < RUNS; run++) runs.push(await roundTrip(line, spins, Math.ceil((scale * count) / RUNS)));
  const p99 = Math.max(...runs.map((times) => times.p99));
  report({ name: full, unit: 'µs', better: 'lower', values: runs.map(({ p50 }) => p50), info: { p99 } });
}

const streams = [
  { name: 'postMessage of 4 numbers', line: 'postMessage', producers: 1, count: 20_000 },
  { name: 'Ring, 16-byte descriptors', line: 'Ring', producers: 1, count: 1_000_000 },
  { name: 'MpscRing, 1 producer', line: 'MpscRing', producers: 1, count: 300_000 },
  { name: 'MpscRing, 2 producers', line: 'MpscRing', producers: 2, count: 300_000 },
] as const;
for (const { name, line, producers, count } of streams) {
  const full = `${name}: stream`;
  if (!wanted(full)) continue;
  const rates = await throughput(line, producers, Math.ceil(scale * count));
  report({ name: full, unit: 'M messages/s', better: 'higher', values: Array.from(rates, (rate) => rate / 1e6) });
}

// What the calls themselves cost, without a second thread.
const buffer = memory();
const abort = new AbortWord(buffer, 0);
const words = new Int32Array(WORDS);
const queues = [
  ['Ring', new Ring(buffer, 64, SLOTS, WORDS, abort)],
  ['MpscRing', new MpscRing(buffer, 64 + MpscRing.byteLength(SLOTS, WORDS), SLOTS, WORDS, abort)],
] as const;
const PAIRS = 512;
for (const [name, queue] of queues) {
  const full = `${name}: tryPush + tryPop in one thread`;
  if (!wanted(full)) continue;
  const times = await millisecondsOf(() => {
    for (let i = 0; i < PAIRS; i++) queue.tryPush(words);
    for (let i = 0; i < PAIRS; i++) queue.tryPop(words);
  });
  report({ name: full, unit: 'ns', better: 'lower', values: times.map((ms) => (ms * 1e6) / PAIRS) });
}
