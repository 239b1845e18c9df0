import { MonolithError } from '../../base/index.js';
import { bytesOf } from './copy-bytes.js';
import type { ShardJob } from './shard-job.js';
import { makeRows, rowsByteLength, type ShardRows, type ShardRuntime } from './shard-runtime.js';

// What stands in the records of journals and snapshots. The first u32 says which; headers are multiples of 8 bytes.
//   begin  1, bytes of JSON · JSON {version, job, shard, spec, applied}                                 first of every snapshot
//   dense  2, floats of parameters, floats of state, 0 · parameters · state                            owned blocks one after another
//   rows   3, table, count, 0 · fids · timestamps · records
//   apply  4, region, number of workers, 0, step u64 · per worker {worker u32, 0, sequence u64, [table] count u32, padding} ·
//          per worker {per table {fids, gradients}, gradients of owned dense blocks}
//   clear  5, 0
//   norms  7, number of blocks · float64 of each: Σ g² of the apply that follows, where several shards clip by global norm
//   end    6, 0                                                                                         last of every snapshot
export const RecordKind = { begin: 1, dense: 2, rows: 3, apply: 4, clear: 5, end: 6, norms: 7 } as const;

const VERSION = 1;

/** `shard` is missing where a release before it was written down made the folder. */
export type Begin = { readonly job: string; readonly shard?: number; readonly spec: string; readonly applied: readonly number[] };

export function beginRecord({ job, shard, spec, applied }: Begin): Uint8Array[] {
  const json = Buffer.from(JSON.stringify({ version: VERSION, job, shard, spec, applied }));
  return [words(RecordKind.begin, json.length), json];
}

/** @throws InvalidConfig for a folder that another release has written. */
export function readBegin(payload: Buffer): Begin {
  const { version, job, shard, spec, applied } = JSON.parse(payload.subarray(8).toString()) as Begin & { version: number };
  if (version !== VERSION) {
    throw new MonolithError(
      'InvalidConfig',
      `state of a shard: version ${version}, this release reads ${VERSION}; empty the folder and resume from the last checkpoint`,
    );
  }
  return { job, ...(shard !== undefined && { shard }), spec, applied };
}

/** The shard's dense values as they are. */
export function denseRecord({ owned, parameters, denseState }: ShardRuntime): Uint8Array[] {
  const values = owned.map(({ offset, length }) => parameters.subarray(offset, offset + length));
  const states = owned.map(({ stateOffset, stateLength }) => denseState.subarray(stateOffset, stateOffset + stateLength));
  const count = (all: readonly Float32Array[]): number => all.reduce((sum, { length }) => sum + length, 0);
  return [words(RecordKind.dense, count(values), count(states), 0), ...values.map(bytesOf), ...states.map(bytesOf)];
}

export function givenDenseRecord(parameters: Float32Array, state: Float32Array): Uint8Array[] {
  return [words(RecordKind.dense, parameters.length, state.length, 0), bytesOf(parameters), bytesOf(state)];
}

export function rowsRecord(table: number, { count, fids, timestamps, records }: ShardRows): Uint8Array[] {
  return [words(RecordKind.rows, table, count, 0), bytesOf(fids), bytesOf(timestamps), bytesOf(records)];
}

export function clearRecord(): Uint8Array[] {
  return [words(RecordKind.clear, 0)];
}

export function normsRecord(norms: Float64Array): Uint8Array[] {
  return [words(RecordKind.norms, norms.length), bytesOf(norms)];
}

export function endRecord(): Uint8Array[] {
  return [words(RecordKind.end, 0)];
}

/** Ids and gradients of the workers' region, straight out of the mirrors. */
export function applyRecord(
  runtime: ShardRuntime,
  region: number,
  step: number,
  workers: readonly number[],
  sequences: readonly number[],
): Uint8Array[] {
  const tables = runtime.tables.length;
  const perWorker = workerHeadBytes(tables);
  const head = Buffer.alloc(24 + workers.length * perWorker);
  head.writeUInt32LE(RecordKind.apply, 0);
  head.writeUInt32LE(region, 4);
  head.writeUInt32LE(workers.length, 8);
  head.writeBigUInt64LE(BigInt(step), 16);
  const pieces: Uint8Array[] = [head];
  workers.forEach((w, i) => {
    const at = 24 + i * perWorker;
    head.writeUInt32LE(w, at);
    head.writeBigUInt64LE(BigInt(sequences[i]), at + 8);
    const mirror = runtime.mirrors[w][region];
    for (let t = 0; t < tables; t++) {
      const count = runtime.count(w, region, t);
      head.writeUInt32LE(count, at + 16 + 4 * t);
      const { unique, dRows, rowBytes } = mirror.tables[t];
      pieces.push(unique.subarray(0, count * 8), dRows.subarray(0, count * rowBytes));
    }
    for (const { offset, length } of runtime.owned) pieces.push(mirror.gradients.subarray(offset * 4, (offset + length) * 4));
  });
  return pieces;
}

/** Carries out what a record says. `begin` and `end` are for the reader of the file. @throws RecordCorrupt */
export function replayRecord(job: ShardJob, payload: Buffer): void {
  const { runtime } = job;
  switch (payload.readUInt32LE(0)) {
    case RecordKind.dense: {
      const [length, stateLength] = [payload.readUInt32LE(4), payload.readUInt32LE(8)];
      need(payload, 16 + 4 * (length + stateLength));
      const at = payload.byteOffset + 16;
      job.setDense(new Float32Array(payload.buffer, at, length), new Float32Array(payload.buffer, at + length * 4, stateLength));
      return;
    }
    case RecordKind.rows: {
      const [table, count] = [payload.readUInt32LE(4), payload.readUInt32LE(8)];
      const { dim, stateLength } = runtime.tables[table];
      need(payload, 16 + rowsByteLength(count, dim + stateLength));
      runtime.load(table, makeRows(count, dim + stateLength, payload.buffer as ArrayBuffer, payload.byteOffset + 16));
      return;
    }
    case RecordKind.clear:
      for (const table of runtime.tables) table.clear();
      return;
    case RecordKind.norms: {
      const count = payload.readUInt32LE(4);
      need(payload, 8 + 8 * runtime.blocks.length);
      for (let b = 0; b < count; b++) runtime.blockNorms[b] = payload.readDoubleLE(8 + 8 * b);
      return;
    }
    case RecordKind.apply:
      replayApply(job, payload);
      return;
    default:
      throw new MonolithError('RecordCorrupt', `journal: record of kind ${payload.readUInt32LE(0)}`);
  }
}

function replayApply(job: ShardJob, payload: Buffer): void {
  const { runtime } = job;
  const region = payload.readUInt32LE(4);
  const step = Number(payload.readBigUInt64LE(16));
  const perWorker = workerHeadBytes(runtime.tables.length);
  const workers: number[] = [];
  const sequences: number[] = [];
  let at = 24 + payload.readUInt32LE(8) * perWorker;
  const take = (target: Uint8Array, offset: number, length: number): void => {
    target.set(payload.subarray(at, at + length), offset);
    at += length;
  };
  for (let i = 0; i < payload.readUInt32LE(8); i++) {
    const head = 24 + i * perWorker;
    const w = payload.readUInt32LE(head);
    workers.push(w);
    sequences.push(Number(payload.readBigUInt64LE(head + 8)));
    const mirror = runtime.mirrors[w][region];
    for (let t = 0; t < runtime.tables.length; t++) {
      const count = payload.readUInt32LE(head + 16 + 4 * t);
      const { unique, dRows, rowBytes } = mirror.tables[t];
      runtime.setCount(w, region, t, count);
      take(unique, 0, count * 8);
      take(dRows, 0, count * rowBytes);
    }
    for (const { offset, length } of runtime.owned) take(mirror.gradients, offset * 4, length * 4);
  }
  need(payload, at);
  job.replay(region, step, workers, sequences);
}

function need(payload: Buffer, bytes: number): void {
  if (payload.length !== bytes) throw new MonolithError('RecordCorrupt', `journal: a record of ${payload.length} bytes, expected ${bytes}`);
}

function workerHeadBytes(tables: number): number {
  return 16 + Math.ceil(tables / 2) * 8;
}

function words(...values: number[]): Uint8Array {
  return bytesOf(Uint32Array.from(values));
}
