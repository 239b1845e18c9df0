// A checkpoint while training goes on: what the steps feel of it, and how fast it is written beside the disk's own speed.
//
//   node dist/bench/checkpoint/save.bench.js [--rows N] [--rounds SAVES] [--only save] [--file FOLDER]
//
// DLRM, two workers and two shards, on a table of 2 GiB unless --rows says otherwise; batches name rows of it evenly, so that as many as can be are touched
// while the save goes on. A gap is the time from the end of one step to the end of the next. The disk's speed is that of a file of the same length, written
// in pieces of 4 MiB and flushed, before and after, while nothing trains. For comparison another process (dd) writes such a file while training goes on: what
// steps feel of that, they feel of the machine. `stolen` is the time that a hypervisor took from this machine's processors meanwhile. Beside the first gap
// of a save stands that of a stop without one: the steps in flight end, nothing is frozen, and steps go on. `--only save` leaves disk and dd out: half the time.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointThread, LocalCluster } from '../../src/cluster/index.js';
import { resolveConfig } from '../../src/config/index.js';
import { loadModel } from '../../src/models/index.js';
import {
  CheckpointSaver,
  planOfRun,
  planRun,
  type SavedSnapshot,
  type SnapshotJob,
  type SnapshotWriter,
} from '../../src/training/index.js';
import { benchArguments, report, wanted } from '../lib/report.js';
import { fillStep, flatLayout } from '../lib/synthetic.js';

const TABLE_BYTES = 2 * 2 ** 30;
const WORKERS = 2;
const BATCH = 2048;
const DIM = 16;
const FEATURES = 26;
/** Values and Adagrad's sums of squares. */
const RECORD_BYTES = 2 * DIM * 4;
const rows = benchArguments.rows ?? TABLE_BYTES / RECORD_BYTES;
/** Steps that are only timed, before the first save and after the last. */
const QUIET_STEPS = 60;
const SAVES = benchArguments.rounds;
const DISK = 'disk, sequential';
const BESIDE = 'longest step gap beside dd';
/** Batches that take turns: made once, since making them takes longer than a step. */
const BATCHES = 48;
const LOAD_ROWS = 1 << 18;
const PIECE = 4 << 20;

const inputs = {
  dense: Array.from({ length: 13 }, (_, i) => `d${i}`),
  sparse: Array.from({ length: FEATURES }, (_, i) => ({ name: `c${i}`, combiner: 0 as const })),
};

/** MB/s of a new file of `bytes`, flushed. */
async function diskSpeed(folder: string, bytes: number): Promise<number> {
  const path = join(folder, 'disk');
  const piece = new Uint8Array(PIECE).map((_, i) => (i * 2654435761) >>> 13);
  const from = performance.now();
  const file = await open(path, 'w');
  for (let at = 0; at < bytes; at += PIECE) await file.write(piece, 0, Math.min(PIECE, bytes - at));
  await file.sync();
  await file.close();
  const seconds = (performance.now() - from) / 1000;
  rmSync(path);
  return bytes / 1e6 / seconds;
}

/** Milliseconds that a hypervisor has taken from the processors so far, over all of them; 0 where nothing tells. */
function stolenMs(): number {
  try {
    return Number(readFileSync('/proc/stat', 'latin1').split('\n')[0].trim().split(/\s+/)[8]) * 10;
  } catch {
    return 0;
  }
}

/** Another process writes and flushes a file. */
function writeElsewhere(folder: string, bytes: number): Promise<void> {
  const path = join(folder, 'other');
  const args = ['if=/dev/zero', `of=${path}`, 'bs=4M', `count=${Math.ceil(bytes / PIECE)}`, 'conv=fsync'];
  return new Promise((resolve) => {
    const child = spawn('dd', args, { stdio: 'ignore' });
    child.once('error', () => resolve());
    child.once('close', () => {
      rmSync(path, { force: true });
      resolve();
    });
  });
}

/** Id of row r: no two are equal, and hashes spread them anyway. */
const fidOf = (row: number): bigint => BigInt(row) * 26n + 7n;

async function fillTable(cluster: LocalCluster): Promise<void> {
  await cluster.expectRows(0, rows);
  const width = RECORD_BYTES / 4;
  const shared = <T extends Float32Array | BigInt64Array | Uint32Array>(Type: new (buffer: SharedArrayBuffer) => T, bytes: number): T =>
    new Type(new SharedArrayBuffer(bytes));
  const part = {
    fids: shared(BigInt64Array, LOAD_ROWS * 8),
    timestamps: shared(Uint32Array, LOAD_ROWS * 4),
    records: shared(Float32Array, LOAD_ROWS * RECORD_BYTES),
  };
  part.records.forEach((_, i) => {
    part.records[i] = i % width < DIM ? ((i * 7919) % 1000) / 50_000 - 0.01 : 0.1;
  });
  for (let first = 0; first < rows; first += LOAD_ROWS) {
    const count = Math.min(LOAD_ROWS, rows - first);
    for (let i = 0; i < count; i++) part.fids[i] = fidOf(first + i);
    await cluster.load(0, { count, ...part });
  }
}

const { config } = resolveConfig({ values: { model: 'dlrm', workers: WORKERS, ps: 2, batchSize: BATCH, embedding: { dim: DIM } } });
const definition = await loadModel('dlrm');
const plan = planOfRun(config, definition, inputs);
const layout = flatLayout(BATCH, inputs.dense.length, [FEATURES]);
const folder = mkdtempSync(join(benchArguments.file ?? tmpdir(), 'monolith-local-bench-checkpoint-'));
const cluster = await LocalCluster.start(planRun(config, 'dlrm', definition, inputs, plan, layout));

/** What the thread said of each save. */
const saved: SavedSnapshot[] = [];
class Watched implements SnapshotWriter {
  private readonly thread = new CheckpointThread(cluster.spec);
  async write(job: SnapshotJob): Promise<SavedSnapshot> {
    const result = await this.thread.write(job);
    saved.push(result);
    return result;
  }
  close(): Promise<void> {
    return this.thread.close();
  }
}
const saver = new CheckpointSaver({
  engine: cluster,
  modelDir: join(folder, 'model'),
  openWriter: () => new Watched(),
  background: true,
  deltas: false,
  base: null,
});

try {
  await fillTable(cluster);
  const ids = BATCH * FEATURES;
  const batches = Array.from({ length: BATCHES * WORKERS }, (_, b) => {
    let state = b * 2654435761;
    return BigInt64Array.from({ length: ids }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return fidOf(Math.floor((state / 2 ** 32) * rows));
    });
  });

  let step = 0;
  let lastEnd = 0;
  let known = 0;
  /** One more step is sent out; the gaps between those that have ended go to `gaps`. */
  const makeStep = async (gaps: number[]): Promise<void> => {
    const slots = await cluster.acquire();
    if (step < cluster.maxInFlight) fillStep(slots, 1, step, 1000);
    slots.forEach((slot, w) => {
      slot.groups[0].fids.set(batches[(step % BATCHES) * WORKERS + w]);
    });
    await cluster.submitTrain(step++);
    // One is in flight while the next is being filled.
    for (; known < cluster.rounds - 1; known++) await ended(known, gaps);
  };
  const ended = async (round: number, gaps: number[]): Promise<void> => {
    await cluster.awaitRound(round);
    const now = performance.now();
    if (lastEnd > 0) gaps.push(now - lastEnd);
    lastEnd = now;
  };

  const catchUp = async (gaps: number[]): Promise<void> => {
    await cluster.sync();
    for (; known < cluster.rounds; known++) await ended(known, gaps);
  };

  const quiet: number[] = [];
  for (let i = 0; i < 20; i++) await makeStep([]);
  for (let i = 0; i < QUIET_STEPS; i++) await makeStep(quiet);
  const during: number[][] = [];
  const begins: number[] = [];
  const firsts: number[] = [];
  const faults: number[] = [];
  const stops: number[] = [];
  const stopFaults: number[] = [];
  const pageFaults = (): number => process.resourceUsage().minorPageFault;
  const stolen: number[] = [];
  const stolenBeside: number[] = [];
  const beside: number[] = [];
  const disk: number[] = [];
  const pause = async (): Promise<void> => {
    await cluster.sync();
    known = cluster.rounds;
    lastEnd = 0;
  };
  const bytes = rows * (RECORD_BYTES + 12);
  for (let s = 0; s < SAVES; s++) {
    await pause();
    if (wanted(DISK)) disk.push(await diskSpeed(folder, bytes));
    for (let i = 0; i < 5; i++) await makeStep([]);
    const stop: number[] = [];
    await catchUp([]);
    let faultsFrom = pageFaults();
    while (stop.length === 0) await makeStep(stop);
    stopFaults.push(pageFaults() - faultsFrom);
    stops.push(stop[0]);
    const gaps: number[] = [];
    for (let i = 0; i < 3; i++) await makeStep(gaps);
    // As the training loop does: the steps in flight end, the state is captured, training goes on.
    await catchUp(gaps);
    const before = gaps.length;
    faultsFrom = pageFaults();
    const stolenFrom = stolenMs();
    const from = performance.now();
    const { durable } = await saver.begin({ step, keep: 1, keepStep: null, fields: {}, delta: false, last: false });
    begins.push(performance.now() - from);
    let written = false;
    const done = durable.finally(() => {
      written = true;
    });
    done.catch(() => {});
    while (gaps.length === before) await makeStep(gaps);
    faults.push(pageFaults() - faultsFrom);
    firsts.push(gaps[before]);
    while (!written) await makeStep(gaps);
    await done;
    for (let i = 0; i < 5; i++) await makeStep(gaps);
    during.push(gaps);
    stolen.push(stolenMs() - stolenFrom);
    for (let i = 0; i < QUIET_STEPS / 3; i++) await makeStep(quiet);
  }
  await pause();
  if (wanted(DISK)) disk.push(await diskSpeed(folder, bytes));
  for (let i = 0; i < (wanted(BESIDE) ? 3 : 0); i++) {
    await pause();
    for (let k = 0; k < 8; k++) await makeStep([]);
    const gaps: number[] = [];
    let written = false;
    const from = stolenMs();
    const other = writeElsewhere(folder, bytes).then(() => {
      written = true;
    });
    while (!written) await makeStep(gaps);
    await other;
    beside.push(Math.max(...gaps));
    stolenBeside.push(stolenMs() - from);
  }

  const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
  const quietMedian = median(quiet);
  report({ name: 'step without a save', unit: 'ms', better: 'lower', values: quiet, info: { longest: Math.max(...quiet) } });
  report({ name: 'step during a save', unit: 'ms', better: 'lower', values: during.flat() });
  report({
    name: 'longest step gap of a save',
    unit: 'ms',
    better: 'lower',
    values: during.map((gaps) => Math.max(...gaps)),
    info: { bound: Math.max(2 * quietMedian, 100), 'stolen ms a save': median(stolen) },
  });
  report({
    name: 'first step gap of a save',
    unit: 'ms',
    better: 'lower',
    values: firsts,
    info: { 'page faults': median(faults) },
  });
  report({
    name: 'step gap of a stop without a save',
    unit: 'ms',
    better: 'lower',
    values: stops,
    info: { 'page faults': median(stopFaults) },
  });
  if (wanted(BESIDE)) report({ name: BESIDE, unit: 'ms', better: 'lower', values: beside, info: { 'stolen ms': median(stolenBeside) } });
  report({
    name: 'step gap of a save, 95 of 100',
    unit: 'ms',
    better: 'lower',
    values: during.map((gaps) => [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length * 0.95)]),
  });
  report({ name: 'beginning of a save', unit: 'ms', better: 'lower', values: begins });
  const speeds = saved.map((save) => save.bytes / 1e3 / save.writeMs);
  report({
    name: 'writing a save',
    unit: 'MB/s',
    better: 'higher',
    values: speeds,
    info: { bytes: saved[0].bytes, ...(wanted(DISK) ? { 'share of the disk': median(speeds) / median(disk) } : {}) },
  });
  if (wanted(DISK)) report({ name: DISK, unit: 'MB/s', better: 'higher', values: disk });
  report({
    name: 'memory for a save',
    unit: 'MB',
    better: 'lower',
    values: saved.map(({ copyBytes }) => copyBytes / 1e6),
    info: { 'rows copied': median(saved.map(({ copies }) => copies)), rows },
  });
} finally {
  await saver.close();
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
}
