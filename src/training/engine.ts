import type { DataPosition } from '../data/index.js';
import type { FrozenState, RunSpec, TableRows } from '../steps/index.js';
import type { BatchSlot } from '../tensor/index.js';
import type { StageTimes } from './stage-times.js';
import type { Span } from './timeline.js';

/**
 * What the training loop drives: workers and shards, wherever they run. Batches go out in rounds: one slot a worker, filled by the caller,
 * then submitted. Rounds are carried out in order.
 */
export interface TrainingEngine {
  readonly spec: RunSpec;
  /** Flat dense parameters and their optimizer state; read or write them only when synced. */
  readonly parameters: Float32Array;
  readonly denseState: Float32Array;
  /** Rounds submitted so far. */
  readonly rounds: number;
  /** Rounds that may be in flight at once. */
  readonly maxInFlight: number;
  /** The slots of the next round, one a worker; waits until they are free. Throws what ended the run if it ended. */
  acquire(): Promise<readonly BatchSlot[]>;
  /** Sends the acquired slots out as training step `step`. */
  submitTrain(step: number): Promise<void>;
  /** Sends the acquired slots out for their logits only. Training must be synced before the first of a series. */
  submitEvaluate(): Promise<void>;
  /** Rounds that all workers have done. */
  completedRounds(): number;
  awaitRound(round: number): Promise<void>;
  /** Slots and logits of a completed round that is not yet overwritten. */
  result(round: number, worker: number): { readonly batch: BatchSlot; readonly logits: Float32Array };
  /** Σ weight·loss of a completed step, in worker order. */
  lossOf(step: number): number;
  /** Waits until every submitted round is done and every gradient applied. */
  sync(): Promise<void>;
  /** [table] rows over all shards, and bytes held. Only when synced. */
  sizes(): Promise<{ readonly rows: number[]; readonly memoryBytes: number }>;
  /** One bucket of one table from every shard. Only when synced. */
  dump(table: number, bucketBits: number, bucket: number): Promise<readonly TableRows[]>;
  /**
   * Freezes the present state for one reader, who opens the rows of every table. Takes a few milliseconds, whatever the size of tables. The copies of
   * dense parameters are overwritten by the next call. Only when synced, and only when what was frozen before is read.
   * @param onlyChanged   of tables, only the rows that have changed since changes were last forgotten.
   * @param forgetChanges changes count from here on.
   * @returns null: rows can't be frozen here, and {@link dump} is what there is.
   */
  freeze(onlyChanged: boolean, forgetChanges: boolean): Promise<FrozenState | null>;
  /** From now on no row counts as changed. Only when synced. */
  forgetChanges(): Promise<void>;
  /** Whether {@link freeze} freezes. */
  readonly canFreeze: boolean;
  /** Prepares for `rows` rows in all of one table that are about to be loaded. Only when synced. */
  expectRows(table: number, rows: number): Promise<void>;
  /** Gives rows to the shards that own them. Only when synced. */
  load(table: number, rows: TableRows): Promise<void>;
  /**
   * Parameters, optimizer state and rows are in place, read from a checkpoint or fresh: training goes on from `position` of the data. Called
   * once, before the first round.
   */
  begin(position: DataPosition): Promise<void>;
  /** Brings `parameters` and `denseState` up to date. Only when synced. */
  fetchDense(): Promise<void>;
  /** A checkpoint of the present state, made at `step`, is durable. Only when synced. */
  checkpointed(step: number): Promise<void>;
  /** Waits for something else, such as data; throws what ended the run if it ends meanwhile. */
  whileSound<T>(wait: Promise<T>): Promise<T>;
  stageTimes(): StageTimes;
  /** Begins or ends recording what workers and shards do when; only when synced. Absent: nothing is recorded. */
  recordSpans?(on: boolean): void;
  /** What was recorded since the last call, of all steps that are done. */
  takeSpans?(): Span[];
  close(): Promise<void>;
}
