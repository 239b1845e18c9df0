// A parameter-server shard: owns its rows and dense blocks, answers requests until told to stop. See docs/journey-of-a-batch.md. Where workers do
// shards' work in place it makes the tables and answers the coordinator between rounds; workers never ask it.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { MonolithError } from '../../base/index.js';
import { EmbeddingTable } from '../../embedding/index.js';
import { selectBackend } from '../../kernels/index.js';
import { IDLE_TIMEOUT_MS, LocalShardServer, NamedParameters, planDenseBlocks, ShardOp } from '../../ps/index.js';
import type { ShardAnswer, ShardControl, ThreadMessage, ThreadStart } from '../messages.js';
import { createShardLogic, offerTables } from '../shard-logic.js';
import { ClusterMemory } from '../topology.js';

const { index: shard, spec, buffers, port } = workerData as ThreadStart;

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

function serve(): void {
  if (port === undefined) throw new MonolithError('Internal', `shard ${shard} was started without a port`);
  const { backend, reason } = selectBackend(spec.backend);
  const memory = new ClusterMemory(spec, buffers, planDenseBlocks(spec.tensors).blocks.length);
  const tables = spec.tables.map((table) => new EmbeddingTable(backend, table, spec.seed));
  for (const [t, { expectedRows }] of spec.tables.entries()) if (expectedRows > 0) tables[t].expectRows(expectedRows);
  const meet = (): void => void memory.shardBarrier.wait(shard, spec.stepTimeoutMs);
  const logic = createShardLogic(spec, memory, shard, tables, backend, meet);
  offerTables(memory, shard, tables);
  const named = new NamedParameters(backend);
  const server = new LocalShardServer(
    memory.requests[shard],
    memory.lookups.map((own) => own[shard]),
    memory.applies.map((own) => own[shard]),
  );
  tell({ kind: 'ready', backend: backend.name, instructionSet: backend.instructionSet, reason });

  const { request } = server;
  let pushed = 0;
  for (;;) {
    if (!server.next(IDLE_TIMEOUT_MS)) return;
    const [op, worker, region, step] = request;
    switch (op) {
      case ShardOp.lookup:
      case ShardOp.lookupReadOnly:
        logic.lookup(worker, region, op === ShardOp.lookup, step);
        server.answerLookup(worker);
        break;
      case ShardOp.apply:
        if (spec.mode === 'async') {
          logic.applyOne(worker, region, step);
          server.answerApply(worker);
        } else if (++pushed === spec.workers) {
          pushed = 0;
          logic.applyStep(region, step);
          for (let w = 0; w < spec.workers; w++) server.answerApply(w);
        }
        break;
      case ShardOp.control: {
        const message = receiveMessageOnPort(port) as { message: ShardControl } | undefined;
        if (message !== undefined) port.postMessage(control(message.message));
        break;
      }
      default:
        return;
    }
  }

  function control(message: ShardControl): ShardAnswer {
    try {
      switch (message.kind) {
        case 'size':
          logic.refreshSizes();
          return {
            kind: 'size',
            rows: tables.map((table) => table.size()),
            memoryBytes: tables.reduce((sum, table) => sum + table.memoryBytes(), 0),
          };
        case 'dump': {
          const table = tables[message.table];
          const count = table.countBucket(message.bucketBits, message.bucket);
          const width = table.dim + table.stateLength;
          const rows = {
            count,
            fids: new BigInt64Array(new SharedArrayBuffer(count * 8)),
            timestamps: new Uint32Array(new SharedArrayBuffer(count * 4)),
            records: new Float32Array(new SharedArrayBuffer(count * width * 4)),
          };
          table.dump(message.bucketBits, message.bucket, rows.fids, rows.timestamps, rows.records);
          return { kind: 'dump', rows };
        }
        case 'expect':
          tables[message.table].expectRows(message.rows);
          return { kind: 'done' };
        case 'load':
          loadOwn(tables[message.table], message.rows);
          return { kind: 'done' };
        case 'clear':
          for (const table of tables) table.clear();
          return { kind: 'done' };
        case 'freeze':
          for (const table of tables) table.freeze(message.onlyChanged, message.forgetChanges);
          return { kind: 'done' };
        case 'forgetChanges':
          for (const table of tables) table.clearChanged();
          return { kind: 'done' };
        case 'ownParameter':
          named.own(message.id, message.values);
          return { kind: 'done' };
        case 'stepParameters':
          named.step(message.ids, message.learningRate, message.exchange);
          return { kind: 'done' };
        default:
          message satisfies never;
          return { kind: 'done' };
      }
    } catch (error) {
      return { kind: 'failed', error: MonolithError.from(error).toJSON() };
    }
  }

  /** Takes the rows that belong here, whatever number of shards wrote them. */
  function loadOwn(
    table: EmbeddingTable,
    rows: { count: number; fids: BigInt64Array; timestamps: Uint32Array; records: Float32Array },
  ): void {
    if (spec.ps === 1) {
      table.load(rows.fids, rows.timestamps, rows.records, rows.count);
      return;
    }
    const width = table.dim + table.stateLength;
    const shards = BigInt(spec.ps);
    const fids = new BigInt64Array(rows.count);
    const timestamps = new Uint32Array(rows.count);
    const records = new Float32Array(rows.count * width);
    let count = 0;
    for (let i = 0; i < rows.count; i++) {
      const remainder = rows.fids[i] % shards;
      if (Number(remainder < 0n ? remainder + shards : remainder) !== shard) continue;
      fids[count] = rows.fids[i];
      timestamps[count] = rows.timestamps[i];
      records.set(rows.records.subarray(i * width, (i + 1) * width), count * width);
      count++;
    }
    table.load(fids, timestamps, records, count);
  }
}

try {
  serve();
} catch (error) {
  tell({ kind: 'failed', error: MonolithError.from(error).toJSON() });
} finally {
  port?.close();
}
