import type { BinaryMetrics, RegressionMetrics } from '../metrics/index.js';

// The objects of `--json`, one a line. Names and meaning are fixed; fields may be added.

/** A figure; null where it is not defined (NaN has no place in JSON). */
export type Figure = number | null;

/** The run begins. */
export type StartEvent = {
  readonly event: 'start';
  readonly version: string;
  readonly model: string;
  readonly model_dir: string;
  readonly workers: number;
  readonly ps: number;
  readonly mode: string;
  readonly backend: string;
  readonly instruction_set: string | null;
  /** What matrix products read: `fp32` or `bf16`. */
  readonly precision: string;
  readonly batch_size: number;
  readonly seed: number;
  readonly dense_parameters: number;
  readonly tables: readonly { readonly name: string; readonly dim: number; readonly features: number }[];
  /** Step of the checkpoint that the run goes on from; null for a new run. */
  readonly resumed_step: number | null;
};

/** How it goes. `loss` is the mean since the last progress event, `examples` counts from the start of the run. */
export type ProgressEvent = {
  readonly event: 'progress';
  readonly step: number;
  readonly epoch: number;
  readonly examples: number;
  readonly examples_per_second: number;
  readonly loss: Figure;
  readonly learning_rate_factor?: number;
  /** Shares of the workers' time since the last progress event, 0 … 1: `wait_batch`, `dedupe`, `lookup`, `compute`, `push`. */
  readonly stages?: Readonly<Record<string, number>>;
};

/** Figures of an evaluation, in the names of JSON. Those of the other kind of task are absent. */
export type EvalFigures = {
  readonly examples: number;
  readonly auc?: Figure;
  readonly logloss?: Figure;
  readonly normalized_entropy?: Figure;
  readonly calibration?: Figure;
  readonly accuracy?: Figure;
  readonly mean_prediction?: Figure;
  readonly mean_label?: Figure;
  readonly mse?: Figure;
  readonly rmse?: Figure;
  readonly mae?: Figure;
};

/** An evaluation, after `step` steps. */
export type EvalEvent = { readonly event: 'eval'; readonly step: number } & EvalFigures;

/** Figures of a window of event time of a stream, from predictions made before learning. */
export type WindowFigures = {
  readonly event: 'window';
  readonly step: number;
  /** The window as dates; the end is not in it. */
  readonly start: string;
  readonly end: string;
  /** The run ended before the window did. */
  readonly partial: boolean;
  /** Examples since the last window that came too late for theirs, and such without a time. */
  readonly late: number;
  readonly untimed: number;
} & EvalFigures;

/** A checkpoint is durable at `path`. */
export type CheckpointEvent = { readonly event: 'checkpoint'; readonly step: number; readonly path: string };

/** The run has ended well: always the last line. `seconds` is training time, without start-up, evaluations and checkpoints. */
export type DoneEvent = {
  readonly event: 'done';
  readonly step: number;
  readonly examples: number;
  readonly seconds: number;
  readonly examples_per_second: number;
  readonly train: { readonly loss: Figure };
  readonly eval: EvalFigures | null;
  readonly checkpoint: string | null;
  /** Records that could not be read and were skipped. */
  readonly bad_records: number;
  /** Why it ended: `end of data`, `max steps`, `early stopping` or `stopped` (by a signal). */
  readonly reason: string;
  /** Seconds by stage: `wait_batch`, `dedupe`, `lookup`, `compute`, `push` summed over workers, `shard_…` over shards. */
  readonly stages: Readonly<Record<string, number>>;
  /** As in the start event. */
  readonly precision: string;
};

export type RunEvent = StartEvent | ProgressEvent | EvalEvent | WindowFigures | CheckpointEvent | DoneEvent;

function figure(value: number): Figure {
  return Number.isFinite(value) ? value : null;
}

/** Rates and times with three places: more are noise. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : 0;
}

function roundedAll(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded(value)]));
}

/** Metrics in the names of JSON. */
export function evalFigures(metrics: BinaryMetrics | RegressionMetrics): EvalFigures {
  const means = { mean_prediction: figure(metrics.meanPrediction), mean_label: figure(metrics.meanLabel) };
  if ('mse' in metrics) {
    return { mse: figure(metrics.mse), rmse: figure(metrics.rmse), mae: figure(metrics.mae), examples: metrics.examples, ...means };
  }
  return {
    auc: figure(metrics.auc),
    logloss: figure(metrics.logloss),
    normalized_entropy: figure(metrics.normalizedEntropy),
    calibration: figure(metrics.calibration),
    accuracy: figure(metrics.accuracy),
    examples: metrics.examples,
    ...means,
  };
}

export function startEvent(fields: Omit<StartEvent, 'event'>): StartEvent {
  return { event: 'start', ...fields };
}

export function progressEvent(update: {
  readonly step: number;
  readonly epoch: number;
  readonly examples: number;
  readonly examplesPerSecond: number;
  readonly loss: number;
  readonly learningRateFactor?: number;
  readonly stages?: Readonly<Record<string, number>>;
}): ProgressEvent {
  return {
    event: 'progress',
    step: update.step,
    epoch: update.epoch,
    examples: update.examples,
    examples_per_second: rounded(update.examplesPerSecond),
    loss: figure(update.loss),
    ...(update.learningRateFactor === undefined ? {} : { learning_rate_factor: update.learningRateFactor }),
    ...(update.stages === undefined ? {} : { stages: roundedAll(update.stages) }),
  };
}

export function evalEvent(step: number, metrics: BinaryMetrics | RegressionMetrics): EvalEvent {
  return { event: 'eval', step, ...evalFigures(metrics) };
}

/** What is told of a window. */
export type WindowLike = {
  readonly step: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly metrics: BinaryMetrics | RegressionMetrics;
  readonly late: number;
  readonly untimed: number;
  readonly partial: boolean;
};

export function windowEvent({ step, startMs, endMs, metrics, late, untimed, partial }: WindowLike): WindowFigures {
  return { event: 'window', step, start: dateText(startMs), end: dateText(endMs), partial, late, untimed, ...evalFigures(metrics) };
}

/** A time as a date; times beyond the calendar as numbers. */
export function dateText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

export function checkpointEvent(step: number, path: string): CheckpointEvent {
  return { event: 'checkpoint', step, path };
}

export function doneEvent(result: {
  readonly step: number;
  readonly examples: number;
  readonly seconds: number;
  /** Over `seconds`; a resumed run has more `examples` than it trained in them. */
  readonly examplesPerSecond: number;
  readonly trainLoss: number;
  readonly eval: BinaryMetrics | RegressionMetrics | null;
  readonly checkpoint: string | null;
  readonly badRecords: number;
  readonly reason: string;
  readonly stages: Readonly<Record<string, number>>;
  readonly precision: string;
}): DoneEvent {
  return {
    event: 'done',
    step: result.step,
    examples: result.examples,
    seconds: rounded(result.seconds),
    examples_per_second: rounded(result.examplesPerSecond),
    train: { loss: figure(result.trainLoss) },
    eval: result.eval === null ? null : evalFigures(result.eval),
    checkpoint: result.checkpoint,
    bad_records: result.badRecords,
    reason: result.reason,
    stages: roundedAll(result.stages),
    precision: result.precision,
  };
}

/** An event as its line of `--json`. */
export function eventLine(event: RunEvent): string {
  return `${JSON.stringify(event)}\n`;
}
