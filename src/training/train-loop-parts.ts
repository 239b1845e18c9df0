import { MonolithError } from '../base/index.js';
import type { BatchPipeline, DataPosition, TrainData } from '../data/index.js';
import type { BestState } from './best-watch.js';
import type { PendingSave, SaveRequest } from './checkpoint-saver.js';
import type { EarlyStopSettings } from './early-stopping.js';
import type { TrainingEngine } from './engine.js';
import type { EvaluationMetrics } from './evaluate.js';
import type { HookStates } from './hook-runner.js';
import type { TrainHook } from './hooks.js';
import type { WindowSettings, WindowsState } from './progressive.js';

/** Checkpoints that stay where neither settings nor a hook say otherwise. */
export const KEEP_CHECKPOINTS = 3;
/** Keeps all checkpoints. */
export const KEEP_ALL = Number.MAX_SAFE_INTEGER;

/** @throws InvalidArgument for a number of checkpoints that a hook can't ask for */
export function checkNewest(newest: number): void {
  if (Number.isSafeInteger(newest) && newest >= 0) return;
  throw new MonolithError('InvalidArgument', `retain: newest must be an integer ≥ 0, got ${newest}`, { newest });
}

/** What a run keeps beside parameters and rows; stands in the checkpoint. */
export type TrainerState = BestState & {
  readonly step: number;
  readonly examples: number;
  /** Set when early stopping ended the training: a restart of the same command does not go on. */
  readonly finished: boolean;
  /** An evaluation of the schedule was given up at this step: the run that goes on makes up for it first. Absent: false. */
  readonly evaluationDue?: boolean;
  /** What hooks want back when the run goes on. */
  readonly hooks?: HookStates;
  /** Windows of time that are open; absent where there are none. */
  readonly windows?: WindowsState;
};

export type TrainLoopSettings = {
  /** 0: no limit. Counts from the first start. */
  readonly maxSteps: number;
  /** The step at which this call ends, 0 included; takes the place of maxSteps. Infinity: no limit. */
  readonly target?: number;
  /** Steps between checkpoints; 0: only at the end. */
  readonly checkpointEvery: number;
  /** Steps between deltas, beside those; absent or 0: none. */
  readonly deltaEvery?: number;
  /** Steps between evaluations; 0: at the end of each epoch. */
  readonly evalEvery: number;
  /** Steps of one evaluation: batches of every worker. Absent: all data. */
  readonly evalSteps?: number;
  /** Seconds between checkpoints, beside those by steps; absent or 0: none. */
  readonly checkpointEverySeconds?: number;
  /** Seconds between evaluations, in place of those at the end of epochs; absent or 0: none. */
  readonly evalEverySeconds?: number;
  /** Seconds between progress reports; absent or 0: a few a second. */
  readonly logEverySeconds?: number;
  /** Checkpoints to keep, and the figure by which the best one is kept besides (null: that of early stopping); until a hook says otherwise. */
  readonly retention?: { readonly newest: number; readonly best: string | null };
  readonly earlyStop: EarlyStopSettings;
  /** Windows of time whose figures are told, of data that have times. */
  readonly windows?: WindowSettings;
};

export type TrainLoopParts = {
  readonly engine: TrainingEngine;
  readonly train: TrainData;
  readonly evaluation: BatchPipeline | null;
  readonly settings: TrainLoopSettings;
  readonly state: TrainerState | null;
  /** The checkpoint that the run goes on from; null for a new run. */
  readonly resumedFrom: string | null;
  /**
   * Begins a checkpoint; training may go on when it resolves. Called when the engine is synced;
   * `position` is where the next step starts, `keep` how many of the newest checkpoints stay, `bestStep` one to keep besides. See SaveRequest for `how`.
   */
  readonly save: (
    state: TrainerState,
    metrics: EvaluationMetrics | null,
    bestStep: number | null,
    position: DataPosition,
    keep: number,
    how: Pick<SaveRequest, 'delta' | 'last'>,
  ) => Promise<PendingSave>;
  readonly modelDir: string;
  readonly hooks: readonly TrainHook[];
  /** Ends training after the step in hand, or in the middle of a wait for data; a checkpoint is written. */
  readonly stop: AbortSignal | null;
  readonly now: () => number;
};
