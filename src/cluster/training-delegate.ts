import type { DataPosition } from '../data/index.js';
import type { BatchSlot } from '../tensor/index.js';
import type { RunSpec, Span, StageTimes, TableRows, TrainingEngine } from '../training/index.js';
import type { BadBatch } from './bad-batch.js';
import type { TrainingThreads } from './training-threads.js';

/** A training engine whose threads are those of {@link TrainingDelegate.training}. */
export abstract class TrainingDelegate implements TrainingEngine {
  /** The threads of the run. @throws InvalidConfiguration when there is no run. */
  protected abstract get training(): TrainingThreads;

  get spec(): RunSpec {
    return this.training.spec;
  }

  get parameters(): Float32Array {
    return this.training.parameters;
  }

  get denseState(): Float32Array {
    return this.training.denseState;
  }

  get rounds(): number {
    return this.training.rounds;
  }

  get maxInFlight(): number {
    return this.training.maxInFlight;
  }

  /** Backend and instruction set that the threads run on, and why not native if so. */
  get backend(): TrainingThreads['backend'] {
    return this.training.backend;
  }

  /** The batch of a NonFiniteLoss, if there was one. */
  get badBatch(): BadBatch | null {
    return this.training.badBatch;
  }

  acquire(): Promise<readonly BatchSlot[]> {
    return this.training.acquire();
  }

  submitTrain(step: number): Promise<void> {
    return this.training.submitTrain(step);
  }

  submitEvaluate(): Promise<void> {
    return this.training.submitEvaluate();
  }

  completedRounds(): number {
    return this.training.completedRounds();
  }

  awaitRound(round: number): Promise<void> {
    return this.training.awaitRound(round);
  }

  result(round: number, worker: number): { readonly batch: BatchSlot; readonly logits: Float32Array } {
    return this.training.result(round, worker);
  }

  lossOf(step: number): number {
    return this.training.lossOf(step);
  }

  sync(): Promise<void> {
    return this.training.sync();
  }

  sizes(): Promise<{ readonly rows: number[]; readonly memoryBytes: number }> {
    return this.training.sizes();
  }

  dump(table: number, bucketBits: number, bucket: number): Promise<readonly TableRows[]> {
    return this.training.dump(table, bucketBits, bucket);
  }

  expectRows(table: number, rows: number): Promise<void> {
    return this.training.expectRows(table, rows);
  }

  load(table: number, rows: TableRows): Promise<void> {
    return this.training.load(table, rows);
  }

  begin(_position: DataPosition): Promise<void> {
    return this.training.begin();
  }

  fetchDense(): Promise<void> {
    return this.training.fetchDense();
  }

  checkpointed(_step: number): Promise<void> {
    return this.training.checkpointed();
  }

  whileSound<T>(wait: Promise<T>): Promise<T> {
    return this.training.whileSound(wait);
  }

  stageTimes(): StageTimes {
    return this.training.stageTimes();
  }

  recordSpans(on: boolean): void {
    this.training.recordSpans(on);
  }

  takeSpans(): Span[] {
    return this.training.takeSpans();
  }

  abstract close(): Promise<void>;
}
