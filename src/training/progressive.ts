// Progressive validation: what the model says of an example before it learns from it, gathered by windows of event time.
import { BinaryAccumulator, type BinaryMetrics, RegressionAccumulator, type RegressionMetrics } from '../metrics/index.js';
import type { TrainingEngine } from './engine.js';

/** Logits from −16 to 16 in steps of 1/128: within a step AUC counts scores as equal. */
const BINS = 4096;
const BINS_PER_UNIT = 128;

export type WindowSettings = {
  readonly windowMs: number;
  /** How long, in event time, a window stays open behind its end. */
  readonly latenessMs: number;
};

/** Figures of one window of event time. */
export type WindowEvent = {
  /** Steps made when it was told of. */
  readonly step: number;
  /** Milliseconds since 1970; the end is not in it. */
  readonly startMs: number;
  readonly endMs: number;
  /** AUC is that of scores in steps of 1/128 of a logit. */
  readonly metrics: BinaryMetrics | RegressionMetrics;
  /** Examples since the last window that came behind their own window's end, and such without a time: trained, in no window. */
  readonly late: number;
  readonly untimed: number;
  /** The run ends before the window does: a run that goes on from here tells of the whole of it. */
  readonly partial: boolean;
};

/** Open windows, as a checkpoint holds them. */
export type WindowsState = {
  readonly windowMs: number;
  readonly latestMs: number | null;
  readonly late: number;
  readonly untimed: number;
  /** Of each: number, sums, and of its scores [bin, weight of positives, weight of negatives]. */
  readonly open: readonly { readonly number: number; readonly sums: readonly number[]; readonly scores: readonly number[] }[];
};

class Window {
  readonly binary: BinaryAccumulator | null;
  readonly regression: RegressionAccumulator | null;
  /** [BINS × 2] weights of positives and negatives. */
  readonly scores: Float64Array;

  constructor(readonly isBinary: boolean) {
    this.binary = isBinary ? new BinaryAccumulator() : null;
    this.regression = isBinary ? null : new RegressionAccumulator();
    this.scores = new Float64Array(isBinary ? BINS * 2 : 0);
  }

  get sums(): Float64Array {
    return (this.binary ?? this.regression)?.sums ?? new Float64Array(0);
  }

  add(logits: Float32Array, labels: Float32Array, weights: Float32Array): void {
    this.binary?.add(logits, labels, weights);
    this.regression?.add(logits, labels, weights);
    if (!this.isBinary) return;
    for (let i = 0; i < logits.length; i++) {
      const bin = Math.min(BINS - 1, Math.max(0, Math.floor(logits[i] * BINS_PER_UNIT) + BINS / 2));
      this.scores[bin * 2 + (labels[i] > 0.5 ? 0 : 1)] += weights[i];
    }
  }

  metrics(): BinaryMetrics | RegressionMetrics {
    if (this.binary !== null) return this.binary.result(aucOf(this.scores));
    const accumulator = this.regression ?? new RegressionAccumulator();
    return accumulator.result();
  }
}

/** Gathers predictions of training steps by event time. */
export class ProgressiveValidation {
  private readonly open = new Map<number, Window>();
  private latestMs = Number.NEGATIVE_INFINITY;
  private late = 0;
  private untimed = 0;
  /** Times of the steps in flight, by round. */
  private readonly times: Float64Array[];
  private ended: WindowEvent[] = [];

  constructor(
    private readonly settings: WindowSettings,
    private readonly engine: TrainingEngine,
    examples: number,
    state: WindowsState | undefined,
  ) {
    this.times = Array.from({ length: engine.maxInFlight + 1 }, () => new Float64Array(examples));
    if (state !== undefined && state.windowMs === settings.windowMs) this.restore(state);
  }

  /** A step goes out. @param times of its examples, in milliseconds; copied. */
  sent(round: number, times: Float64Array): void {
    this.times[round % this.times.length].set(times);
  }

  /** The step of a round is done, and its slots are not yet filled again. @param step steps made with it */
  done(round: number, step: number): void {
    const { engine } = this;
    const times = this.times[round % this.times.length];
    let before = 0;
    for (let worker = 0; worker < engine.spec.workers; worker++) {
      const { batch, logits } = engine.result(round, worker);
      const count = batch.numExamples;
      this.add(logits, batch.labels, batch.weights, times.subarray(before, before + count), count);
      before += count;
    }
    this.close(step);
  }

  /** Windows that have ended since the last call, in order of time. */
  take(): readonly WindowEvent[] {
    const { ended } = this;
    if (ended.length > 0) this.ended = [];
    return ended;
  }

  /** Windows that are still open, as far as they are. */
  unfinished(step: number): readonly WindowEvent[] {
    return [...this.open.keys()].sort((a, b) => a - b).map((number, i) => this.eventOf(number, step, true, i === 0));
  }

  state(): WindowsState {
    const { late, untimed, latestMs } = this;
    return {
      windowMs: this.settings.windowMs,
      latestMs: Number.isFinite(latestMs) ? latestMs : null,
      late,
      untimed,
      open: [...this.open].map(([number, { sums, scores }]) => ({ number, sums: [...sums], scores: sparse(scores) })),
    };
  }

  private restore({ latestMs, late, untimed, open }: WindowsState): void {
    this.latestMs = latestMs ?? Number.NEGATIVE_INFINITY;
    this.late = late;
    this.untimed = untimed;
    for (const { number, sums, scores } of open) {
      const window = this.window(number);
      window.sums.set(sums.slice(0, window.sums.length));
      if (!window.isBinary) continue;
      for (let i = 0; i + 2 < scores.length; i += 3) window.scores.set([scores[i + 1], scores[i + 2]], scores[i] * 2);
    }
  }

  private add(logits: Float32Array, labels: Float32Array, weights: Float32Array, times: Float64Array, count: number): void {
    const { windowMs } = this.settings;
    let latest = this.latestMs;
    for (let from = 0; from < count; ) {
      const number = Math.floor(times[from] / windowMs);
      let to = from;
      // Records of one time come together.
      for (; to < count && (Math.floor(times[to] / windowMs) === number || (to === from && Number.isNaN(number))); to++) {
        if (times[to] > latest) latest = times[to];
      }
      if (Number.isNaN(number)) this.untimed += to - from;
      else if (this.isClosed(number)) this.late += to - from;
      else this.window(number).add(logits.subarray(from, to), labels.subarray(from, to), weights.subarray(from, to));
      from = to;
    }
    this.latestMs = latest;
  }

  private isClosed(number: number): boolean {
    return (number + 1) * this.settings.windowMs <= this.latestMs - this.settings.latenessMs;
  }

  private window(number: number): Window {
    let window = this.open.get(number);
    if (window === undefined) {
      window = new Window(this.engine.spec.plan.loss === 'bce');
      this.open.set(number, window);
    }
    return window;
  }

  private close(step: number): void {
    const closed = [...this.open.keys()].filter((number) => this.isClosed(number)).sort((a, b) => a - b);
    for (const number of closed) {
      this.ended.push(this.eventOf(number, step, false, true));
      this.late = this.untimed = 0;
      this.open.delete(number);
    }
  }

  private eventOf(number: number, step: number, partial: boolean, counts: boolean): WindowEvent {
    const { windowMs } = this.settings;
    const metrics = this.window(number).metrics();
    const [late, untimed] = counts ? [this.late, this.untimed] : [0, 0];
    return { step, startMs: number * windowMs, endMs: (number + 1) * windowMs, metrics, late, untimed, partial };
  }
}

/** [bin, positives, negatives, …] of the bins that hold something. */
function sparse(scores: Float64Array): number[] {
  const found: number[] = [];
  for (let bin = 0; bin * 2 < scores.length; bin++) {
    if (scores[bin * 2] !== 0 || scores[bin * 2 + 1] !== 0) found.push(bin, scores[bin * 2], scores[bin * 2 + 1]);
  }
  return found;
}

/** The area under the ROC curve of weights in ascending bins, those of one bin counting as equal. NaN where a class is empty. */
function aucOf(scores: Float64Array): number {
  let positives = 0;
  let negatives = 0;
  let doubled = 0;
  for (let i = 0; i < scores.length; i += 2) {
    doubled += scores[i] * (2 * negatives + scores[i + 1]);
    positives += scores[i];
    negatives += scores[i + 1];
  }
  return positives > 0 && negatives > 0 ? doubled / (2 * positives * negatives) : Number.NaN;
}
