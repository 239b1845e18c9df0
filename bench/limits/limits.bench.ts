// What the machine can do, for one thread and for all cores at once: the limits that other figures are held against.
//
//   node dist/bench/limits/limits.bench.js [fma|bf16|copy|read|gather …]
//
// FMA and bf16 peak: multiply-adds on registers, in the addon. Copy: memmove, bytes read and written. Read: one pass over a buffer far beyond
// the caches. Gather: rows of 64 bytes in random order out of 1 GiB on huge pages, prefetched, each thread with indices of its own.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type LimitKind, limitKinds } from '../../src/bench/index.js';
import { type Addon, loadAddon } from '../../src/kernels/index.js';
import { Barrier } from '../../src/sharedarraybuffer-ring/index.js';
import { benchArguments, report } from '../lib/report.js';
import type { LimitJob } from './limit.thread.js';

const GATHER_BYTES = 2 ** 30;
/** Of one thread and operand: many times a last-level cache. */
const STREAM_BYTES = 2 ** 27;
const ROUNDS = 9;

type Limit = { readonly name: string; readonly unit: string };

function limitOf(kind: LimitKind): Limit {
  switch (kind) {
    case 'fma':
      return { name: 'FMA peak', unit: 'GFLOP/s' };
    case 'bf16':
      return { name: 'bf16 peak', unit: 'GFLOP/s' };
    case 'copy':
      return { name: 'copy', unit: 'GB/s' };
    case 'read':
      return { name: 'read', unit: 'GB/s' };
    case 'gather':
      return { name: '64-byte gather', unit: 'M rows/s' };
    default:
      return kind satisfies never;
  }
}

/** The rates of all threads together, round by round: they start each round at a barrier. */
async function measure(kind: LimitKind, threads: number, shared: SharedArrayBuffer): Promise<number[]> {
  const control = new SharedArrayBuffer(64 + Barrier.byteLength(threads));
  const jobs = Array.from({ length: threads }, (_, index): LimitJob => {
    return {
      kind,
      index,
      threads,
      rounds: ROUNDS,
      secondsPerRound: benchArguments.seconds / 10,
      shared,
      streamBytes: STREAM_BYTES,
      control,
    };
  });
  const rates = await Promise.all(
    jobs.map(
      (job) =>
        new Promise<readonly number[]>((resolve, reject) => {
          const worker = new Worker(new URL('./limit.thread.js', import.meta.url), { workerData: job });
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  return Array.from({ length: ROUNDS }, (_, round) => rates.reduce((sum, ofThread) => sum + ofThread[round], 0));
}

const { addon, reason } = loadAddon();
if (addon === null) {
  process.stderr.write(`the native addon is needed: ${reason}\n`);
  process.exit(1);
}
const has = (name: string): boolean => name in (addon as Addon);
const kinds = benchArguments.words.length === 0 ? limitKinds : limitKinds.filter((kind) => benchArguments.words.includes(kind));
const cores = availableParallelism();
for (const kind of kinds) {
  const { name, unit } = limitOf(kind);
  if (kind === 'bf16' && !(has('bf16Peak') && addon.info().instructionSet === 'avx512-bf16')) continue;
  const shared = new SharedArrayBuffer(kind === 'gather' ? GATHER_BYTES : 0);
  for (const threads of new Set([1, cores])) {
    const values = await measure(kind, threads, shared);
    report({ name: `${name}, ${threads === 1 ? '1 thread' : 'all cores'}`, unit, better: 'higher', values, info: { threads } });
    if (cores === 1) report({ name: `${name}, all cores`, unit, better: 'higher', values, info: { threads } });
  }
}
