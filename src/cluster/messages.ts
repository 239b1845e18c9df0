import type { MessagePort } from 'node:worker_threads';
import type { SerializedError } from '../base/index.js';
import type { RunSpec, TableRows } from '../steps/index.js';
import type { BadBatch } from './bad-batch.js';
import type { ClusterBuffers } from './topology.js';

/** What a thread gets at its start. */
export type ThreadStart = {
  readonly role: 'worker' | 'ps';
  readonly index: number;
  readonly spec: RunSpec;
  readonly buffers: ClusterBuffers;
  /** Shards only: rare requests of the coordinator (dump, load). */
  readonly port?: MessagePort;
};

/** What a thread tells the coordinator outside the step: it is ready, or it failed. */
export type ThreadMessage =
  | { readonly kind: 'ready'; readonly backend: string; readonly instructionSet: string; readonly reason: string | null }
  | { readonly kind: 'failed'; readonly error: SerializedError; readonly badBatch?: BadBatch };

/** Requests on a shard's port; taken when a control descriptor comes through its ring, so between two requests of workers. */
export type ShardControl =
  | { readonly kind: 'size' }
  | { readonly kind: 'dump'; readonly table: number; readonly bucketBits: number; readonly bucket: number }
  | { readonly kind: 'expect'; readonly table: number; readonly rows: number }
  | { readonly kind: 'load'; readonly table: number; readonly rows: TableRows }
  | { readonly kind: 'clear' }
  /** Freezes the rows of all tables: see FidTable.freeze. */
  | { readonly kind: 'freeze'; readonly onlyChanged: boolean; readonly forgetChanges: boolean }
  | { readonly kind: 'forgetChanges' }
  /** From now on the shard owns this named parameter; its values lie in shared memory. */
  | { readonly kind: 'ownParameter'; readonly id: number; readonly values: Float32Array }
  /** One SGD step on each named parameter: `exchange` holds their gradients, one after another, and then their new values. Shared memory. */
  | {
      readonly kind: 'stepParameters';
      readonly ids: readonly number[];
      readonly learningRate: number;
      readonly exchange: Float32Array;
    };

export type ShardAnswer =
  | { readonly kind: 'size'; readonly rows: number[]; readonly memoryBytes: number }
  | { readonly kind: 'dump'; readonly rows: TableRows }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: SerializedError };
