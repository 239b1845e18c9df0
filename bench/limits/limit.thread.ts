// One thread of limits.bench: repeats one operation for each round, all threads at once, and tells its rates.
import { parentPort, workerData } from 'node:worker_threads';
import type { LimitKind } from '../../src/bench/index.js';
import { lineOffset, loadAddon, selectBackend } from '../../src/kernels/index.js';
import { AbortWord, Barrier } from '../../src/sharedarraybuffer-ring/index.js';

export type LimitJob = {
  readonly kind: LimitKind;
  readonly index: number;
  readonly threads: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  /** Memory that all threads gather from. */
  readonly shared: SharedArrayBuffer;
  readonly streamBytes: number;
  /** [abort word 64 B][barrier] */
  readonly control: SharedArrayBuffer;
};

type LimitAddon = {
  fmaPeak(): number;
  bf16Peak(): number;
  gatherRows(rows: Float32Array, length: number, indices: Int32Array, count: number, out: Float32Array): void;
  adviseHugePages(memory: Uint8Array): void;
};

const job: LimitJob = workerData;
const TIMEOUT_MS = 120_000;
const BATCH = 8192;
/** Four million rows in all: no cache holds them. */
const BATCHES = 512;
const ROW = 16;
const { addon } = loadAddon();
const native = addon as unknown as LimitAddon;
const { backend } = selectBackend('native');
const barrier = new Barrier(job.control, 64, job.threads, new AbortWord(job.control, 0));

/** Memory on huge pages, every page present. */
function floats(bytes: number): Float32Array {
  const buffer = new SharedArrayBuffer(bytes);
  native.adviseHugePages(new Uint8Array(buffer));
  return new Float32Array(buffer).fill(1);
}

/** One call of the operation: gives its units (operations, bytes or rows) where time says the rate, or the rate itself. */
function operation(): () => { readonly units: number } | { readonly rate: number } {
  switch (job.kind) {
    case 'fma':
      return () => ({ rate: native.fmaPeak() });
    case 'bf16':
      return () => ({ rate: native.bf16Peak() });
    case 'copy': {
      const [from, to] = [floats(job.streamBytes), floats(job.streamBytes)];
      return () => {
        to.set(from);
        return { units: 2 * job.streamBytes };
      };
    }
    case 'read': {
      const memory = floats(job.streamBytes);
      return () => {
        backend.firstNonFinite(memory.length, memory);
        return { units: job.streamBytes };
      };
    }
    case 'gather': {
      if (job.index === 0) {
        native.adviseHugePages(new Uint8Array(job.shared));
        new Float32Array(job.shared).fill(1);
      }
      // Rows on cache lines, as a table's are: one that straddles two would make the limit look low.
      const first = lineOffset(job.shared);
      const rows = new Float32Array(job.shared, first, Math.floor((job.shared.byteLength - first) / (ROW * 4)) * ROW);
      const numRows = rows.length / ROW;
      let state = 1 + job.index;
      const batches = Array.from({ length: BATCHES }, () =>
        Int32Array.from({ length: BATCH }, () => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          return Math.floor((((state ^ (state >>> 15)) >>> 0) / 2 ** 32) * numRows);
        }),
      );
      const result = new SharedArrayBuffer(BATCH * ROW * 4 + 64);
      const out = new Float32Array(result, lineOffset(result), BATCH * ROW);
      let at = 0;
      return () => {
        native.gatherRows(rows, ROW, batches[at++ % BATCHES], BATCH, out);
        return { units: BATCH };
      };
    }
    default:
      return job.kind satisfies never;
  }
}

const call = operation();
const scale = job.kind === 'gather' ? 1e6 : 1e9;
const rates: number[] = [];
for (let round = -1; round < job.rounds; round++) {
  barrier.wait(job.index, TIMEOUT_MS);
  const from = performance.now();
  let units = 0;
  let rate = 0;
  let calls = 0;
  do {
    const done = call();
    if ('rate' in done) rate += done.rate;
    else units += done.units;
    calls++;
  } while (performance.now() - from < 1000 * job.secondsPerRound);
  const seconds = (performance.now() - from) / 1000;
  if (round >= 0) rates.push(units === 0 ? rate / calls : units / seconds / scale);
}
parentPort?.postMessage(rates);
