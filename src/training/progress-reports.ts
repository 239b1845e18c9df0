import type { TrainingEngine } from './engine.js';
import { type StageShares, StageWatch } from './stage-times.js';

/** Milliseconds between two progress reports where nothing else is asked for. */
const PROGRESS_INTERVAL_MS = 250;

/** What was trained since the last report. */
export type Since = { readonly loss: number; readonly examplesPerSecond: number; readonly stages: StageShares };

/** Gathers what a progress report tells: losses of finished steps, examples and time since the report before. */
export class ProgressReports {
  private readonly intervalMs: number;
  private readonly stageWatch = new StageWatch();
  private lossSum = 0;
  private lossExamples = 0;
  private lastLoss = Number.NaN;
  private atMs = 0;
  private examples = 0;

  /** @param everySeconds between reports; 0: a few a second. @param step at which the run starts. */
  constructor(
    everySeconds: number,
    private step: number,
  ) {
    this.intervalMs = everySeconds > 0 ? everySeconds * 1000 : PROGRESS_INTERVAL_MS;
  }

  begin(nowMs: number): void {
    this.atMs = nowMs;
  }

  /** Takes the loss of a finished step: Σ over its examples. */
  addLoss(loss: number, examples: number): void {
    this.lossSum += loss;
    this.lossExamples += examples;
  }

  /** Training stood still for so long. */
  skip(ms: number): void {
    this.atMs += ms;
  }

  /** Whether it is time for a report and there is a loss to tell: steps are sent out ahead, and until the first is back there is none. */
  isDue(nowMs: number): boolean {
    return nowMs - this.atMs >= this.intervalMs && this.hasLoss;
  }

  get hasLoss(): boolean {
    return this.lossExamples > 0 || !Number.isNaN(this.lastLoss);
  }

  /** Whether a report has covered this step. */
  covers(step: number): boolean {
    return this.step === step;
  }

  /** What to report at `step`, and the beginning of the next report. @param runExamples trained by this run so far. */
  next(nowMs: number, step: number, runExamples: number, engine: TrainingEngine): Since {
    if (this.lossExamples > 0) this.lastLoss = this.lossSum / this.lossExamples;
    this.lossSum = 0;
    this.lossExamples = 0;
    const examplesPerSecond = ((runExamples - this.examples) / Math.max(1, nowMs - this.atMs)) * 1000;
    this.atMs = nowMs;
    this.examples = runExamples;
    this.step = step;
    return { loss: this.lastLoss, examplesPerSecond, stages: this.stageWatch.next(engine.stageTimes()) };
  }
}

/** Done part of a run by data read or steps made, whichever ends it first; null where neither tells. @param target the last step; Infinity: no limit */
export function doneFraction(dataFraction: number | null, step: number, target: number): number | null {
  const bySteps = Number.isFinite(target) && target > 0 ? step / target : null;
  if (dataFraction === null || bySteps === null) return dataFraction ?? bySteps;
  return Math.max(dataFraction, bySteps);
}

/** Seconds to the end at the pace so far; null where nothing tells. @param startFraction what was done when the pace began */
export function secondsLeft(fraction: number | null, startFraction: number, spentMs: number): number | null {
  if (fraction === null || fraction <= startFraction || fraction >= 1) return null;
  return ((spentMs / 1000) * (1 - fraction)) / (fraction - startFraction);
}
