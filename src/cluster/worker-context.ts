import { seedFromNames } from '../base/index.js';
import { type KernelBackend, Precision } from '../kernels/index.js';
import { loadModel, ModelRuntime } from '../models/index.js';
import { EmbeddingClient, InPlaceShardChannel, LocalShardChannel, type ShardChannel, type SparseView } from '../ps/index.js';
import { exchangeLayout, type RunSpec, type WorkerContext, type WorkerLines } from '../steps/index.js';
import { attachTables, createShardLogic } from './shard-logic.js';
import type { ClusterMemory } from './topology.js';

/**
 * What worker `index` works with: a model bound to each of its exchange regions (they share one arena, since one runs at a time) and its
 * channels to all shards. Made once, in the worker's thread.
 */
export async function createWorkerContext(
  spec: RunSpec,
  memory: ClusterMemory,
  index: number,
  backend: KernelBackend,
): Promise<WorkerContext> {
  const definition = await loadModel(spec.model);
  const regions = memory.regions[index];
  const models: ModelRuntime[] = [];
  for (const region of regions) {
    const shared = models.length > 0 ? { arena: models[0].arena } : {};
    models.push(
      new ModelRuntime(
        definition,
        spec.modelOptions,
        spec.inputs,
        backend,
        { parameters: memory.parameters, gradients: region.gradients, ...shared },
        spec.batch.maxExamples,
        { precision: Precision[spec.precision] },
      ),
    );
  }
  const channels = spec.shardWork === 'in-place' ? [inPlaceChannel(spec, memory, index, backend)] : localChannels(spec, memory, index);
  const sparse: SparseView[] = spec.plan.tables.map((table) => ({
    bagOffsets: new Int32Array(0),
    inverse: new Int32Array(0),
    values: null,
    rows: new Float32Array(0),
    dRows: new Float32Array(0),
    rowStride: table.dim,
  }));
  return {
    worker: index,
    models,
    embeddings: new EmbeddingClient(backend, exchangeLayout(spec), regions, channels),
    regions,
    sparse,
    seed: seedFromNames(spec.seed, 'worker', index),
    staleness: spec.staleness,
    stats: memory.workerStats[index],
    spans: memory.workerSpans[index],
    now: () => performance.now(),
    slot: 0,
  };
}

/** A channel to the thread of each shard. */
function localChannels(spec: RunSpec, memory: ClusterMemory, index: number): ShardChannel[] {
  return memory.requests.map(
    (requests, s) => new LocalShardChannel(index, requests, memory.lookups[index][s], memory.applies[index][s], spec.stepTimeoutMs),
  );
}

/** All shards' work in the worker itself, over the tables that the shards' threads made. */
function inPlaceChannel(spec: RunSpec, memory: ClusterMemory, index: number, backend: KernelBackend): ShardChannel {
  const shards = Array.from({ length: spec.ps }, (_, s) =>
    createShardLogic(spec, memory, s, attachTables(spec, memory, s, backend), backend, null),
  );
  return new InPlaceShardChannel(index, spec.workers, shards, memory.inPlace, spec.mode === 'sync', spec.stepTimeoutMs);
}

/** The worker's lines to the coordinator. */
export function workerLines(memory: ClusterMemory, index: number): WorkerLines {
  return {
    commands: memory.commands[index],
    done: memory.done[index],
    synced: memory.synced[index],
    slots: memory.slots[index],
    logits: memory.logits[index],
    losses: memory.losses[index],
  };
}
