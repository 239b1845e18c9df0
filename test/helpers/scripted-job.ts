// A job without models: workers whose ids and gradients follow from a script, so that what shards end with can be compared bit for bit
// however their requests travelled.
import { createHash } from 'node:crypto';
import { makeFid, SeededRandom } from '../../src/base/index.js';
import { type KernelBackend, OptimizerKind, selectBackend } from '../../src/kernels/index.js';
import type { ShardSpec } from '../../src/ps/index.js';
import {
  type DenseBlock,
  type DenseTensor,
  ExchangeRegion,
  initializeDenseState,
  planDenseBlocks,
  SHARD_REQUEST_WORDS,
  type ShardLine,
  ShardOp,
} from '../../src/ps/index.js';
import { ShardRuntime } from '../../src/ps-rpc/index.js';
import { AbortWord, Counter, MpscRing } from '../../src/sharedarraybuffer-ring/index.js';

export const backend: KernelBackend = selectBackend('auto').backend;

export type ScriptOptions = {
  readonly mode?: 'sync' | 'async';
  readonly workers?: number;
  readonly numShards?: number;
  readonly prefetch?: number;
  readonly staleness?: number;
  readonly steps?: number;
  readonly ids?: number;
  readonly vocabulary?: number;
  /** Gradients are multiples of 2⁻⁴ and rules are plain SGD: sums are exact, so no order of workers shows in the result. */
  readonly exact?: boolean;
  /** Clipping by the global norm of the dense gradients; 0: none. */
  readonly globalNorm?: number;
};

const DIMS = [16, 1, 5];

export function scriptSpec(options: ScriptOptions = {}): ShardSpec {
  const { mode = 'sync', workers = 2, numShards = 2, prefetch = 1, staleness = 0, ids = 200, exact = false, globalNorm = 0 } = options;
  const optimizer = exact ? { kind: OptimizerKind.sgd, hyper: [0] } : { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-8] };
  const learningRate = exact ? 1 : 0.05;
  const initializer = exact ? ({ kind: 0, a: 0, b: 0 } as const) : ({ kind: 2, a: -0.1, b: 0.1 } as const);
  const tensors: DenseTensor[] = [];
  let parametersLength = 0;
  for (const length of [40_000, 7, 20_000]) {
    tensors.push({
      name: `t${parametersLength}`,
      offset: parametersLength,
      length,
      optimizer: { ...optimizer, learningRate },
      trainable: true,
    });
    parametersLength += Math.ceil(length / 16) * 16;
  }
  return {
    seed: 7,
    mode,
    workers,
    regionsPerWorker: staleness + prefetch + 1,
    layout: { numShards, tables: DIMS.map((dim) => ({ dim, maxIds: ids })), parametersLength },
    tables: DIMS.map((dim, t) => ({
      name: `table${t}`,
      slices: [{ dim, initializer, optimizer }],
      sliceRates: [learningRate],
      maxRows: 0,
      expectedRows: 0,
    })),
    tensors,
    denseStateLength: planDenseBlocks(tensors).stateLength,
    clip: { value: 0, globalNorm, rowNorm: 0 },
    schedule: { kind: 'constant' },
  };
}

type Shared = { regions: ExchangeRegion[]; parameters: Float32Array; lines: ShardLine[]; counts: { lookups: number; applies: number } };

/** Workers of a scripted job, driven from one thread. Each has lines to all shards; who is at their other ends is the test's affair. */
export class ScriptedWorkers {
  readonly spec: ShardSpec;
  readonly blocks: readonly DenseBlock[];
  readonly workers: readonly Shared[];
  readonly steps: number;
  private readonly prefetch: number;
  private readonly staleness: number;
  private readonly vocabulary: number;
  private readonly exact: boolean;
  private readonly abort = new AbortWord(new SharedArrayBuffer(64), 0);

  constructor(options: ScriptOptions = {}) {
    this.spec = scriptSpec(options);
    this.steps = options.steps ?? 12;
    this.prefetch = options.prefetch ?? 1;
    this.staleness = options.staleness ?? 0;
    this.vocabulary = options.vocabulary ?? 300;
    this.exact = options.exact ?? false;
    const { layout, workers, regionsPerWorker } = this.spec;
    const { blocks } = planDenseBlocks(this.spec.tensors);
    this.blocks = blocks;
    const counter = (): Counter => new Counter(new SharedArrayBuffer(64), 0, this.abort);
    this.workers = Array.from({ length: workers }, (_, worker) => {
      const regions = Array.from(
        { length: regionsPerWorker },
        () => new ExchangeRegion(layout, new SharedArrayBuffer(ExchangeRegion.byteLength(layout)), 0),
      );
      const parameters = new Float32Array(new SharedArrayBuffer(layout.parametersLength * 4));
      const lines = Array.from({ length: layout.numShards }, (_, shard): ShardLine => {
        const bytes = MpscRing.byteLength(64, SHARD_REQUEST_WORDS);
        const requests = new MpscRing(new SharedArrayBuffer(bytes), 0, 64, SHARD_REQUEST_WORDS, this.abort);
        return { worker, shard, requests, lookups: counter(), applies: counter(), regions, parameters, blocks };
      });
      return { regions, parameters, lines, counts: { lookups: 0, applies: 0 } };
    });
  }

  /** Dense values that the job starts from. */
  initialDense(): { parameters: Float32Array; state: Float32Array } {
    const parameters = new Float32Array(this.spec.layout.parametersLength);
    const random = new SeededRandom(3);
    for (let i = 0; i < parameters.length; i++) parameters[i] = this.exact ? 0 : random.nextFloat() - 0.5;
    const state = new Float32Array(this.spec.denseStateLength);
    initializeDenseState(this.spec.tensors, this.blocks, state);
    return { parameters, state };
  }

  /** Trains all steps; ends when every push is acknowledged. `between` runs before each step's computation. */
  async run(timeoutMs = 20_000, between: (step: number) => Promise<void> | void = () => {}): Promise<void> {
    const { spec } = this;
    for (let ahead = 0; ahead < this.prefetch && ahead < this.steps; ahead++) this.lookupAll(ahead);
    for (let step = 0; step < this.steps; step++) {
      if (step + this.prefetch < this.steps) {
        // The region is free once its last push is applied.
        await this.applied(step + this.prefetch - spec.regionsPerWorker + 1, timeoutMs);
        this.lookupAll(step + this.prefetch);
      }
      for (const { lines } of this.workers) for (const line of lines) await line.lookups.waitForAsync(step + 1, timeoutMs);
      await between(step);
      for (const [worker, shared] of this.workers.entries()) this.compute(shared, worker, step);
      for (const shared of this.workers) this.request(shared, ShardOp.apply, step);
      await this.applied(step + 1 - this.staleness, timeoutMs);
    }
    await this.applied(this.steps, timeoutMs);
  }

  private async applied(count: number, timeoutMs: number): Promise<void> {
    if (count <= 0) return;
    for (const { lines } of this.workers) for (const line of lines) await line.applies.waitForAsync(count, timeoutMs);
  }

  private lookupAll(step: number): void {
    this.workers.forEach((shared, worker) => {
      this.fillIds(shared.regions[step % this.spec.regionsPerWorker], worker, step);
      this.request(shared, ShardOp.lookup, step);
    });
  }

  private request(shared: Shared, op: number, step: number): void {
    for (const { requests, worker } of shared.lines) {
      if (!requests.tryPush(Int32Array.of(op, worker, step % this.spec.regionsPerWorker, step))) throw new Error('request ring is full');
    }
  }

  fillIds(region: ExchangeRegion, worker: number, step: number): void {
    const shards = BigInt(this.spec.layout.numShards);
    region.tables.forEach(({ unique, shardOffsets }, t) => {
      const random = new SeededRandom(1 + worker * 7919 + step * 104_729 + t);
      const fids = new Set<bigint>();
      // Now and then a worker has no ids of a table.
      const wanted = (step + worker + t) % 5 === 0 ? 0 : 1 + random.nextBelow(unique.length);
      for (let i = 0; i < wanted; i++) fids.add(makeFid(t + 1, BigInt(random.nextBelow(this.vocabulary))) * (i % 2 === 0 ? 1n : -1n));
      let at = 0;
      for (let s = 0n; s < shards; s++) {
        shardOffsets[Number(s)] = at;
        for (const fid of fids) if (((fid % shards) + shards) % shards === s) unique[at++] = fid;
      }
      shardOffsets[Number(shards)] = at;
    });
  }

  /** Gradients: of the rows and dense values that were received, unless the script is exact. */
  compute(shared: { regions: readonly ExchangeRegion[]; parameters: Float32Array }, worker: number, step: number): void {
    const region = shared.regions[step % this.spec.regionsPerWorker];
    const random = new SeededRandom(17 + worker + step * 31);
    const gradient = (value: number): number =>
      this.exact ? random.nextBelow(9) / 16 - 0.25 : Math.fround(value * 0.5 + random.nextFloat() - 0.5);
    region.tables.forEach(({ shardOffsets, rows, dRows }, t) => {
      const length = shardOffsets[this.spec.layout.numShards] * DIMS[t];
      for (let i = 0; i < length; i++) dRows[i] = gradient(rows[i]);
    });
    for (const { offset, length } of this.spec.tensors) {
      for (let i = offset; i < offset + length; i++) region.gradients[i] = gradient(shared.parameters[i]);
    }
  }

  stop(): void {
    this.abort.abort(1);
  }
}

/** Everything that shards have learnt, as text. */
export function stateOf(runtimes: readonly ShardRuntime[]): string {
  const hash = createHash('sha256');
  for (const { owned, parameters, denseState, tables, ...rest } of runtimes) {
    void rest;
    for (const { offset, length, stateOffset, stateLength } of owned) {
      hash.update(new Uint8Array(parameters.slice(offset, offset + length).buffer));
      hash.update(new Uint8Array(denseState.slice(stateOffset, stateOffset + stateLength).buffer));
    }
    for (const [t, table] of tables.entries()) hash.update(`${t}:${table.size()};`);
  }
  for (const runtime of runtimes) {
    for (const t of runtime.tables.keys()) {
      const { fids, records } = runtime.dump(t, 0, 0);
      hash.update(new Uint8Array(fids.buffer, fids.byteOffset, fids.byteLength));
      hash.update(new Uint8Array(records.buffer, records.byteOffset, records.byteLength));
    }
  }
  return hash.digest('hex');
}

/** A step on all shards, whose norms meet in between where the gradients are clipped by them. */
function applyTogether(runtimes: readonly ShardRuntime[], region: number, step: number): void {
  if (runtimes[0].logic.sumsApart) {
    for (const { logic } of runtimes) logic.sumDense(-1, region);
    for (const { blocks, numShards, blockNorms } of runtimes) {
      for (const { index } of blocks) blockNorms[index] = runtimes[index % numShards].blockNorms[index];
    }
  }
  for (const { logic } of runtimes) logic.applyStep(region, step);
}

/** What a run ends with where workers and shards share memory and nothing can go wrong: the shards are called directly. */
export function undisturbed(options: ScriptOptions = {}): string {
  const workers = new ScriptedWorkers(options);
  const { spec } = workers;
  const runtimes = Array.from({ length: spec.layout.numShards }, (_, s) => new ShardRuntime(spec, s, backend));
  const { parameters, state } = workers.initialDense();
  for (const runtime of runtimes) {
    runtime.parameters.set(parameters);
    runtime.denseState.set(state);
  }
  const copies = workers.workers.map(({ regions }) => ({ regions, parameters: Float32Array.from(parameters) }));
  for (let step = 0; step < workers.steps; step++) {
    const r = step % spec.regionsPerWorker;
    copies.forEach(({ regions }, w) => {
      workers.fillIds(regions[r], w, step);
      for (const runtime of runtimes) {
        regions[r].tables.forEach(({ unique, shardOffsets, rows }, t) => {
          const [from, to] = [shardOffsets[runtime.shard], shardOffsets[runtime.shard + 1]];
          const mirror = runtime.mirrors[w][r].tables[t];
          runtime.setCount(w, r, t, to - from);
          mirror.unique.set(new Uint8Array(unique.buffer, unique.byteOffset + from * 8, (to - from) * 8));
          void rows;
        });
        runtime.logic.lookup(w, r, true, step);
        regions[r].tables.forEach(({ shardOffsets, rows }, t) => {
          const [from, to] = [shardOffsets[runtime.shard], shardOffsets[runtime.shard + 1]];
          const bytes = new Uint8Array(rows.buffer, rows.byteOffset + from * DIMS[t] * 4, (to - from) * DIMS[t] * 4);
          bytes.set(runtime.mirrors[w][r].tables[t].rows.subarray(0, bytes.length));
        });
      }
    });
    for (const [w, copy] of copies.entries()) workers.compute(copy, w, step);
    for (const runtime of runtimes) {
      copies.forEach(({ regions }, w) => {
        const mirror = runtime.mirrors[w][r];
        regions[r].tables.forEach(({ shardOffsets, dRows }, t) => {
          const from = shardOffsets[runtime.shard];
          const bytes = (shardOffsets[runtime.shard + 1] - from) * DIMS[t] * 4;
          mirror.tables[t].dRows.set(new Uint8Array(dRows.buffer, dRows.byteOffset + from * DIMS[t] * 4, bytes));
        });
        mirror.gradients.set(new Uint8Array(regions[r].gradients.buffer, regions[r].gradients.byteOffset, mirror.gradients.length));
      });
      if (spec.mode === 'sync') continue;
      for (let w = 0; w < spec.workers; w++) runtime.logic.applyOne(w, r, step);
    }
    if (spec.mode === 'sync') applyTogether(runtimes, r, step);
    for (const { parameters: own } of copies) {
      for (const runtime of runtimes)
        for (const { offset, length } of runtime.owned) own.set(runtime.parameters.subarray(offset, offset + length), offset);
    }
  }
  return stateOf(runtimes);
}
