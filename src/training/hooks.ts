import type { EvaluationMetrics } from './evaluate.js';
import type { StageShares } from './stage-times.js';

/** Where training stands; `examples` and `step` count from the very first start, over resumes. */
export type Progress = {
  readonly step: number;
  readonly epoch: number;
  readonly examples: number;
  /** Over the time since the last report. */
  readonly examplesPerSecond: number;
  /** Mean loss of the steps since the last report. */
  readonly loss: number;
  readonly learningRateFactor: number;
  /** Done part of the run, 0 … 1; null where nothing tells. */
  readonly fraction: number | null;
  /** Seconds left by data read or steps done; null where nothing tells. */
  readonly etaSeconds: number | null;
  readonly badRecords: number;
  /** Where the workers' time went since the last report. */
  readonly stages: StageShares;
};

export type EvaluationEvent = {
  readonly step: number;
  readonly epoch: number;
  readonly metrics: EvaluationMetrics;
  readonly best: boolean;
};
export type CheckpointEvent = { readonly step: number; readonly path: string };

/** 'led by the chief': in a job on several hosts, of the processes that have no figures of their own. */
export type StopReason = 'end of data' | 'max steps' | 'early stopping' | 'stopped' | 'led by the chief';

/** How a training run ended. */
export type TrainResult = {
  readonly step: number;
  /** Examples trained over the life of the model. */
  readonly examples: number;
  /** Examples and seconds of this run alone; seconds without start-up, evaluation and checkpoints. */
  readonly runExamples: number;
  readonly seconds: number;
  readonly examplesPerSecond: number;
  /** Mean loss per example over up to the last 100 steps of this run; NaN when no step was made. */
  readonly loss: number;
  readonly evaluation: EvaluationMetrics | null;
  readonly checkpoint: string | null;
  readonly reason: StopReason;
  /** Seconds by stage, see {@link STAGES}: the first five summed over workers, the others over shards. */
  readonly stages: { readonly [stage: string]: number };
  readonly rows: number;
  readonly badRecords: number;
};

/** What happens around training. Each method is awaited; one that throws ends the run with its error. */
export interface TrainHook {
  onStart?(step: number): void | Promise<void>;
  onProgress?(progress: Progress): void | Promise<void>;
  onEvaluation?(event: EvaluationEvent): void | Promise<void>;
  onCheckpoint?(event: CheckpointEvent): void | Promise<void>;
  onEnd?(result: TrainResult): void | Promise<void>;
}

/** Calls one method of every hook in order. */
export async function callHooks(hooks: readonly TrainHook[], call: (hook: TrainHook) => void | Promise<void> | undefined): Promise<void> {
  for (const hook of hooks) await call(hook);
}
