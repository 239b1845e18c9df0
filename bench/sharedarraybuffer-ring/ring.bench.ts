// Rings and barrier against postMessage, in one run, on two worker threads:
//   node dist/bench/sharedarraybuffer-ring/ring.bench.js [--json]
// Figures depend on nothing else running; the table says how many cores there were.
import { cpus } from 'node:os';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { Bench } from 'tinybench';
import { AbortWord, availableCores, Barrier, MpscRing, Ring } from '../../src/sharedarraybuffer-ring/index.js';
import type { PeerJob } from './peer.thread.js';

const SLOTS = 1024;
const WORDS = 4;

/** One line of the result. */
type Figure = { readonly name: string; readonly unit: string; readonly median: number; readonly spread: string; readonly ratio: number };

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

async function roundTrips(): Promise<Figure[]> {
  const cases = [
    { name: 'postMessage', line: 'postMessage', spins: null, count: 20_000 },
    { name: 'Ring', line: 'Ring', spins: null, count: 200_000 },
    { name: 'Ring, sleep at once', line: 'Ring', spins: 0, count: 20_000 },
    { name: 'MpscRing', line: 'MpscRing', spins: null, count: 200_000 },
    { name: 'Barrier (one meeting)', line: 'Barrier', spins: null, count: 200_000 },
    { name: 'Barrier, sleep at once', line: 'Barrier', spins: 0, count: 20_000 },
  ] as const;
  const figures: Figure[] = [];
  let base = 0;
  for (const { name, line, spins, count } of cases) {
    const { p50, p99, mean } = await roundTrip(line, spins, count);
    base ||= p50;
    figures.push({ name, unit: 'µs/round trip', median: p50, spread: `p99 ${p99.toFixed(2)}, mean ${mean.toFixed(2)}`, ratio: base / p50 });
  }
  return figures;
}

async function throughputs(): Promise<Figure[]> {
  const cases = [
    { name: 'postMessage of 4 numbers', line: 'postMessage', producers: 1, count: 20_000 },
    { name: 'Ring, 16 B descriptors', line: 'Ring', producers: 1, count: 1_000_000 },
    { name: 'MpscRing, 1 producer', line: 'MpscRing', producers: 1, count: 300_000 },
    { name: 'MpscRing, 2 producers', line: 'MpscRing', producers: 2, count: 300_000 },
  ] as const;
  const figures: Figure[] = [];
  let base = 0;
  for (const { name, line, producers, count } of cases) {
    const rates = await throughput(line, producers, count);
    const median = quantile(rates, 0.5) / 1e6;
    base ||= median;
    const spread = `${(rates[0] / 1e6).toFixed(2)} – ${(rates[rates.length - 1] / 1e6).toFixed(2)} in ${rates.length} runs`;
    figures.push({ name, unit: 'M messages/s', median, spread, ratio: median / base });
  }
  return figures;
}

/** What the calls themselves cost, without a second thread. */
async function calls(): Promise<Figure[]> {
  const buffer = memory();
  const abort = new AbortWord(buffer, 0);
  const words = new Int32Array(WORDS);
  const ring = new Ring(buffer, 64, SLOTS, WORDS, abort);
  const mpsc = new MpscRing(buffer, 64 + MpscRing.byteLength(SLOTS, WORDS), SLOTS, WORDS, abort);
  const batch = 512;
  const bench = new Bench({ time: 500 });
  for (const [name, queue] of [['Ring', ring] as const, ['MpscRing', mpsc] as const]) {
    bench.add(`${name}: tryPush + tryPop in one thread`, () => {
      for (let i = 0; i < batch; i++) queue.tryPush(words);
      for (let i = 0; i < batch; i++) queue.tryPop(words);
    });
  }
  await bench.run();
  return bench.tasks.flatMap((task) => {
    const { result } = task;
    if (!('latency' in result)) return [];
    const ns = (result.latency.p50 * 1e6) / batch;
    return [{ name: task.name, unit: 'ns/pair', median: ns, spread: `p99 ${((result.latency.p99 * 1e6) / batch).toFixed(1)}`, ratio: 1 }];
  });
}

const figures = [...(await roundTrips()), ...(await throughputs()), ...(await calls())];
if (process.argv.includes('--json')) {
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
} else {
  process.stdout.write(`${cpus()[0]?.model ?? 'unknown CPU'}, ${availableCores()} cores, Node ${process.versions.node}\n`);
  process.stdout.write(`${'what'.padEnd(42)}${'median'.padStart(10)}  ${'unit'.padEnd(15)}${'× postMessage'.padStart(14)}  spread\n`);
  for (const { name, unit, median, spread, ratio } of figures) {
    const times = unit === 'ns/pair' ? '–' : ratio.toFixed(1);
    process.stdout.write(`${name.padEnd(42)}${median.toFixed(2).padStart(10)}  ${unit.padEnd(15)}${times.padStart(14)}  ${spread}\n`);
  }
}
