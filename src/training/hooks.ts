import type { EvaluationMetrics } from './evaluate.js';
import type { HookTrigger } from './hook-trigger.js';
import type { WindowEvent } from './progressive.js';
import type { StageShares } from './stage-times.js';
import type { Timeline } from './timeline.js';

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
/** A checkpoint is durable. Training may have gone on since its step. */
export type CheckpointEvent = {
  readonly step: number;
  /** Path of the manifest. */
  readonly path: string;
  /** It holds what has changed since a whole one. */
  readonly delta: boolean;
  /** Milliseconds that training waited for the save before this one; much of it: checkpoints are due faster than they can be written. */
  readonly waitedMs: number;
};

/** 'led by the chief': in a job on several hosts, of the processes that have no figures of their own. */
export type StopReason = 'end of data' | 'max steps' | 'early stopping' | 'stopped by hook' | 'stopped' | 'led by the chief';

/** A hook that asked for the end of training, and why where it said so. */
export type HookStop = { readonly hook: string; readonly reason: string | null };

/** How a training run ended. */
export type TrainResult = {
  readonly step: number;
  /** Examples trained over the life of the model. */
  readonly examples: number;
  /** Examples and seconds of this run alone; seconds without start-up, evaluation, checkpoints and hooks. */
  readonly runExamples: number;
  readonly seconds: number;
  readonly examplesPerSecond: number;
  /** Mean loss per example over up to the last 100 steps of this run; NaN when no step was made. */
  readonly loss: number;
  readonly evaluation: EvaluationMetrics | null;
  readonly checkpoint: string | null;
  readonly reason: StopReason;
  /** Whether something ended training before the data or the number of steps did: early stopping, a hook or a signal. */
  readonly stoppedEarly: boolean;
  /** Set when the reason is 'stopped by hook'. */
  readonly hookStop: HookStop | null;
  /** Seconds by stage, see {@link STAGES}: the first five summed over workers, the others over shards. */
  readonly stages: { readonly [stage: string]: number };
  readonly rows: number;
  readonly badRecords: number;
};

/** Figures of one step: mean loss per example, and how many examples it had. */
export type StepMetrics = { readonly loss: number; readonly examples: number; readonly [metric: string]: number };

/** Which checkpoints the saves of a run leave behind. */
export type Retention = {
  /** How many of the newest, those of earlier runs included; 0: all. */
  readonly newest: number;
  /** Figure of the evaluation whose best state is saved and kept besides; absent: that of early stopping. */
  readonly best?: string;
};

/** State of a hook that a checkpoint holds: plain JSON. */
export type HookState = null | boolean | number | string | readonly HookState[] | { readonly [key: string]: HookState };

/**
 * What a hook can see and do. `save` and `evaluate` may be called only while a method of a hook is under way, and are to be awaited there;
 * `stop` at any time.
 */
export interface HookContext {
  /** Steps whose updates the model has: g in `beforeStep(g)`, g + 1 in `afterStep(g)`. A checkpoint saved now carries this number. */
  readonly step: number;
  readonly modelDir: string;
  /** Factor of the learning rates at this step. */
  readonly learningRateFactor: number;
  /**
   * Writes a checkpoint of the present state, or finds that this very state is saved. Resolves when it is durable.
   * @returns path of its manifest.
   * @throws DiskFull, WriteFailed, NonFiniteParameters
   */
  save(): Promise<string>;
  /**
   * Evaluates the present state, or gives the figures again where that was done at this step. Early stopping does not count it.
   * @returns null without evaluation data, or when a signal stopped it.
   */
  evaluate(): Promise<EvaluationMetrics | null>;
  /** Ends training after the step in hand. The first who asks is named in the result. */
  stop(reason?: string): void;
  /** Records what the threads of the run do when; absent where nothing can be recorded. Turn it on and off around steps. */
  readonly timeline?: Timeline | undefined;
  /** From now on, what saves of this run keep; takes the place of `keepCheckpoints` and `keepBest`. @throws InvalidArgument */
  retain(retention: Retention): void;
}

/**
 * What happens around training. Methods are called in the order below, for each hook in the order of the list, and are awaited. One that
 * throws ends the run with an error that names hook and method (code HookFailed; a MonolithError keeps its own code): threads and files are
 * closed, what was saved stays. No hook changes a bit of what is trained.
 *
 * Around step g: `beforeStep(g)`, the step, an evaluation if one is due (`onEvaluation`), `afterStep(g)`, a checkpoint if one is due
 * (`onCheckpoint`). In each round of calls a hook that asks to stop is the last one called.
 */
export interface TrainHook {
  /** For errors and for its state in checkpoints; default: name of the class. */
  readonly name?: string;
  /**
   * Steps around which `beforeStep` and `afterStep` are called; absent: every step. Steps in flight are waited for there, so a hook that
   * wants every step costs the overlap of steps, and one that wants every hundredth next to nothing.
   */
  readonly trigger?: HookTrigger;
  /** Gets what {@link state} returned when the checkpoint was saved from which this run goes on; before `begin`. */
  restore?(state: HookState): void;
  /** What a run that goes on from a checkpoint must know to do the same: saved with every checkpoint. */
  state?(): HookState;

  onStart?(step: number, context: HookContext): void | Promise<void>;
  begin?(context: HookContext): void | Promise<void>;
  beforeStep?(step: number, context: HookContext): void | Promise<void>;
  afterStep?(step: number, metrics: StepMetrics, context: HookContext): void | Promise<void>;
  /** A few times a second; further steps are in flight meanwhile. */
  onProgress?(progress: Progress, context: HookContext): void | Promise<void>;
  onEvaluation?(event: EvaluationEvent, context: HookContext): void | Promise<void>;
  /** A window of event time has ended, or the run before it. Of streams only. */
  onWindow?(event: WindowEvent, context: HookContext): void | Promise<void>;
  /** A checkpoint is durable. */
  onCheckpoint?(event: CheckpointEvent, context: HookContext): void | Promise<void>;
  /** After the last step and evaluation, before the last checkpoint; also when there was no step. `metrics`: of the last step made. */
  end?(step: number, metrics: StepMetrics | null, context: HookContext): void | Promise<void>;
  /** The run has ended well; everything is saved. */
  onEnd?(result: TrainResult, context: HookContext): void | Promise<void>;
  /** Gives back what the hook holds; called once at the end of a run, however it ended. */
  close?(): void | Promise<void>;
}
