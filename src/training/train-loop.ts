import type { BatchPipeline, DataPosition } from '../data/index.js';
import { learningRateAt } from '../optimizers/index.js';
import { EarlyStopping, type EarlyStopSettings, type EarlyStopState } from './early-stopping.js';
import type { TrainingEngine } from './engine.js';
import { type EvaluationMetrics, evaluate } from './evaluate.js';
import { callHooks, type StopReason, type TrainHook, type TrainResult } from './hooks.js';
import { StageWatch, stageSeconds } from './stage-times.js';

/** What a run keeps beside parameters and rows; stands in the checkpoint. */
export type TrainerState = {
  readonly step: number;
  readonly examples: number;
  readonly earlyStop: EarlyStopState;
  /** Set when early stopping ended the training: a restart of the same command does not go on. */
  readonly finished: boolean;
  /** An evaluation of the schedule was given up at this step: the run that goes on makes up for it first. Absent: false. */
  readonly evaluationDue?: boolean;
};

export type TrainLoopSettings = {
  /** 0: no limit. Counts from the first start. */
  readonly maxSteps: number;
  /** The step at which this call ends, 0 included; takes the place of maxSteps. Infinity: no limit. */
  readonly target?: number;
  /** Steps between checkpoints; 0: only at the end. */
  readonly checkpointEvery: number;
  /** Steps between evaluations; 0: at the end of each epoch. */
  readonly evalEvery: number;
  /** Steps of one evaluation: batches of every worker. Absent: all data. */
  readonly evalSteps?: number;
  readonly earlyStop: EarlyStopSettings;
};

export type TrainLoopParts = {
  readonly engine: TrainingEngine;
  readonly train: BatchPipeline;
  readonly evaluation: BatchPipeline | null;
  readonly settings: TrainLoopSettings;
  readonly state: TrainerState | null;
  /** The checkpoint that the run goes on from; null for a new run. */
  readonly resumedFrom: string | null;
  /** Writes a checkpoint and returns its path. Called when the engine is synced; `position` is where the next step starts. */
  readonly save: (
    state: TrainerState,
    metrics: EvaluationMetrics | null,
    bestStep: number | null,
    position: DataPosition,
  ) => Promise<string>;
  readonly hooks: readonly TrainHook[];
  /** Ends training after the step in hand, or in the middle of a wait for data; a checkpoint is written. */
  readonly stop: AbortSignal | null;
  readonly now: () => number;
};

/** Milliseconds between two progress reports at the least. */
const PROGRESS_INTERVAL_MS = 250;

/** The loop around the step: feeds batches, reports, evaluates, saves, knows when to stop. */
export class TrainLoop {
  private step: number;
  private examples: number;
  private runExamples = 0;
  private readonly earlyStopping: EarlyStopping;
  /** Step at which training ends; Infinity without a limit. */
  private readonly target: number;
  private evaluation: EvaluationMetrics | null = null;
  private evaluatedStep = -1;
  /** An evaluation of the schedule was given up at this step. */
  private evaluationDue = false;
  private savedStep: number;
  private checkpoint: string | null = null;
  /** Step of the first round of training after the last pause, to match rounds and steps. */
  private readonly pending: { round: number; step: number; examples: number }[] = [];
  private lossSum = 0;
  private lossExamples = 0;
  private lastLoss = Number.NaN;
  private readonly recent = new RecentLoss();
  private readonly stageWatch = new StageWatch();
  private activeMs = 0;
  private activeSince = 0;
  private reportedAt = 0;
  private reportedExamples = 0;
  private reportedStep: number;
  /** Epoch of the last step that was made. */
  private stepEpoch = 0;
  /** Done part at the start of this process: a resumed run does not begin at 0. */
  private startFraction = 0;
  /** Epoch of the step before; at the start that of the first step, which may be the last of its epoch. */
  private lastEpoch = 0;
  /** Where the next step starts. The pipeline itself may be further, in the middle of a step that a stop gave up. */
  private position: DataPosition;
  /** Gives up the wait for data that is under way. */
  private giveUp: () => void = () => {};

  constructor(private readonly parts: TrainLoopParts) {
    const { state, settings } = parts;
    this.step = state?.step ?? 0;
    this.target = settings.target ?? (settings.maxSteps > 0 ? settings.maxSteps : Number.POSITIVE_INFINITY);
    this.reportedStep = this.step;
    this.examples = state?.examples ?? 0;
    this.savedStep = parts.resumedFrom === null ? -1 : this.step;
    this.checkpoint = parts.resumedFrom;
    this.position = parts.train.position;
    this.earlyStopping = new EarlyStopping(settings.earlyStop, state?.earlyStop ?? null);
  }

  /** Trains until the data end, a limit is reached or `stop` fires; evaluates and saves at the end. */
  async run(): Promise<TrainResult> {
    const { hooks, stop, train, now, state } = this.parts;
    await callHooks(hooks, (hook) => hook.onStart?.(this.step));
    this.activeSince = now();
    this.reportedAt = now();
    this.startFraction = this.fraction(train.stats().progress) ?? 0;
    this.lastEpoch = this.position.epoch;
    stop?.addEventListener('abort', () => this.giveUp(), { once: true });
    let reason: StopReason | null = state?.finished === true ? 'early stopping' : null;
    if (reason === null && state?.evaluationDue === true) reason = await this.pauseTo(this.parts.evaluation !== null, false);
    while (reason === null) {
      if (stop?.aborted === true) reason = 'stopped';
      else if (this.step >= this.target) reason = 'max steps';
      else reason = (await this.submitNext()) ?? (await this.betweenSteps(this.position.epoch));
    }
    await this.pause();
    await this.reportRest();
    if (reason !== 'stopped' && this.parts.evaluation !== null && this.evaluatedStep !== this.step) {
      await this.evaluateNow(false);
      // Given up: the same command again makes up for it.
      if (stop?.aborted === true && this.evaluatedStep !== this.step) reason = 'stopped';
    }
    if (this.savedStep !== this.step) await this.saveNow(reason === 'early stopping');
    const result = await this.result(reason);
    await callHooks(hooks, (hook) => hook.onEnd?.(result));
    return result;
  }

  /** Sends the next step out; a reason when there is none. */
  private async submitNext(): Promise<StopReason | null> {
    const { engine, train } = this.parts;
    const slots = await engine.acquire();
    this.collect();
    const examples = await this.untilStopped(engine.whileSound(train.nextStep(slots)));
    if (examples === null) return 'stopped';
    this.stepEpoch = this.position.epoch;
    this.position = train.position;
    if (examples === 0) return 'end of data';
    this.pending.push({ round: engine.rounds, step: this.step, examples });
    await engine.submitTrain(this.step);
    this.step++;
    this.examples += examples;
    this.runExamples += examples;
    return null;
  }

  /** What is waited for, or null once training is to stop: data may be long in coming. */
  private untilStopped<T>(wait: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      this.giveUp = () => resolve(null);
      if (this.parts.stop?.aborted === true) this.giveUp();
      wait.then(resolve, reject);
    });
  }

  /** Reports, evaluates and saves where it is time to. */
  private async betweenSteps(epoch: number): Promise<StopReason | null> {
    const { settings, now, evaluation } = this.parts;
    if (now() - this.reportedAt >= PROGRESS_INTERVAL_MS && this.lossKnown()) await this.report();
    const epochEnded = epoch !== this.lastEpoch;
    this.lastEpoch = epoch;
    const evaluateNow = evaluation !== null && (settings.evalEvery > 0 ? this.step % settings.evalEvery === 0 : epochEnded);
    const saveNow = settings.checkpointEvery > 0 && this.step % settings.checkpointEvery === 0;
    if (!evaluateNow && !saveNow) return null;
    return this.pauseTo(evaluateNow, saveNow);
  }

  private async pauseTo(evaluateNow: boolean, saveNow: boolean): Promise<StopReason | null> {
    const { settings, now } = this.parts;
    await this.pause();
    if (evaluateNow) await this.reportRest();
    let reason: StopReason | null = null;
    const verdict = evaluateNow ? await this.evaluateNow(true) : null;
    if (verdict?.stop === true) reason = 'early stopping';
    // With early stopping the best state is what the run is for: it must not depend on a checkpoint being due just then.
    const saveBest = verdict?.best === true && settings.earlyStop.patience > 0;
    if ((saveNow || saveBest) && reason === null) await this.saveNow(false);
    this.activeSince = now();
    this.reportedAt = now();
    this.reportedExamples = this.runExamples;
    return reason;
  }

  /** Takes the losses of finished steps, in order. */
  private collect(): void {
    const { engine } = this.parts;
    const completed = engine.completedRounds();
    while (this.pending.length > 0 && this.pending[0].round < completed) {
      const { step, examples } = this.pending[0];
      this.pending.shift();
      const loss = engine.lossOf(step);
      this.recent.add(loss, examples);
      this.lossSum += loss;
      this.lossExamples += examples;
    }
  }

  private async pause(): Promise<void> {
    await this.parts.engine.sync();
    this.collect();
    this.activeMs += this.parts.now() - this.activeSince;
    this.activeSince = this.parts.now();
  }

  private takeLoss(): number {
    if (this.lossExamples > 0) this.lastLoss = this.lossSum / this.lossExamples;
    this.lossSum = 0;
    this.lossExamples = 0;
    return this.lastLoss;
  }

  /** Whether a step of this process has ended: steps are sent out ahead, and until the first is back there is no loss to report. */
  private lossKnown(): boolean {
    this.collect();
    return this.lossExamples > 0 || !Number.isNaN(this.lastLoss);
  }

  /** Reports steps that no report has covered yet: an evaluation stands beside the loss of the steps before it, and no run is too short. */
  private async reportRest(): Promise<void> {
    if (this.step !== this.reportedStep) await this.report();
  }

  private async report(): Promise<void> {
    const { hooks, now, train, engine } = this.parts;
    this.collect();
    const at = now();
    const rate = ((this.runExamples - this.reportedExamples) / Math.max(1, at - this.reportedAt)) * 1000;
    const stats = train.stats();
    const progress = {
      step: this.step,
      epoch: this.stepEpoch,
      examples: this.examples,
      examplesPerSecond: rate,
      loss: this.takeLoss(),
      learningRateFactor: learningRateAt(engine.spec.schedule, 1, this.step),
      fraction: this.fraction(stats.progress),
      etaSeconds: this.eta(),
      badRecords: stats.badRecords,
      stages: this.stageWatch.next(engine.stageTimes()),
    };
    this.reportedAt = at;
    this.reportedExamples = this.runExamples;
    this.reportedStep = this.step;
    await callHooks(hooks, (hook) => hook.onProgress?.(progress));
  }

  /** Done part of the run by data read or steps made, whichever ends it first; null where neither tells. */
  private fraction(dataFraction: number | null): number | null {
    const bySteps = Number.isFinite(this.target) && this.target > 0 ? this.step / this.target : null;
    if (dataFraction === null || bySteps === null) return dataFraction ?? bySteps;
    return Math.max(dataFraction, bySteps);
  }

  /** Seconds to the end at the pace of this run. */
  private eta(): number | null {
    const fraction = this.fraction(this.parts.train.stats().progress);
    if (fraction === null || fraction <= this.startFraction || fraction >= 1) return null;
    const spentMs = this.activeMs + this.parts.now() - this.activeSince;
    return ((spentMs / 1000) * (1 - fraction)) / (fraction - this.startFraction);
  }

  /** Evaluates, unless training is to stop meanwhile: then nothing was evaluated. */
  private async evaluateNow(mayStop: boolean): Promise<{ readonly best: boolean; readonly stop: boolean }> {
    const { engine, evaluation, hooks, train } = this.parts;
    const none = { best: false, stop: false };
    if (evaluation === null) return none;
    let metrics: EvaluationMetrics | null;
    try {
      await evaluation.rewind();
      metrics = await evaluate(engine, evaluation, this.parts.stop, this.parts.settings.evalSteps);
    } catch (error) {
      throw await this.savedBefore(error);
    }
    this.evaluationDue = metrics === null && mayStop;
    if (metrics === null) return none;
    this.evaluation = metrics;
    this.evaluatedStep = this.step;
    // The evaluation at the end is not one of the schedule: a run that goes on from here must not have counted it.
    const watch = mayStop ? this.earlyStopping : new EarlyStopping(this.parts.settings.earlyStop, this.earlyStopping.state());
    const { best, stop } = watch.update(this.step, metrics);
    const event = { step: this.step, epoch: train.position.epoch, metrics, best };
    await callHooks(hooks, (hook) => hook.onEvaluation?.(event));
    return { best, stop: stop && mayStop };
  }

  /** Bad evaluation data must not cost what was trained: saves it where that still works, and hands the error back. */
  private async savedBefore(error: unknown): Promise<unknown> {
    if (this.savedStep === this.step) return error;
    try {
      await this.parts.engine.sync();
      await this.saveNow(false);
    } catch {
      // The first error is the one to tell of.
    }
    return error;
  }

  private async saveNow(finished: boolean): Promise<void> {
    const { save, hooks } = this.parts;
    const earlyStop = this.earlyStopping.state();
    const due = this.evaluationDue ? { evaluationDue: true } : {};
    const state = { step: this.step, examples: this.examples, earlyStop, finished, ...due };
    const metrics = this.evaluatedStep === this.step ? this.evaluation : null;
    const path = await save(state, metrics, earlyStop.bestStep, this.position);
    this.checkpoint = path;
    this.savedStep = this.step;
    await callHooks(hooks, (hook) => hook.onCheckpoint?.({ step: this.step, path }));
  }

  private async result(reason: StopReason): Promise<TrainResult> {
    const { engine, train } = this.parts;
    const seconds = this.activeMs / 1000;
    const { rows } = await engine.sizes();
    return {
      step: this.step,
      examples: this.examples,
      runExamples: this.runExamples,
      seconds,
      examplesPerSecond: seconds > 0 ? this.runExamples / seconds : 0,
      loss: this.recent.mean(),
      evaluation: this.evaluation,
      checkpoint: this.checkpoint,
      reason,
      stages: stageSeconds(engine.stageTimes()),
      rows: rows.reduce((a, b) => a + b, 0),
      badRecords: train.stats().badRecords,
    };
  }
}

/** Steps over which the final training loss is averaged. */
const RECENT_STEPS = 100;

/** Mean loss per example of the last steps. */
class RecentLoss {
  private readonly losses = new Float64Array(RECENT_STEPS);
  private readonly examples = new Float64Array(RECENT_STEPS);
  private next = 0;

  add(loss: number, examples: number): void {
    this.losses[this.next % RECENT_STEPS] = loss;
    this.examples[this.next % RECENT_STEPS] = examples;
    this.next++;
  }

  /** NaN when there was no step. */
  mean(): number {
    let loss = 0;
    let examples = 0;
    for (let i = 0; i < RECENT_STEPS; i++) {
      loss += this.losses[i];
      examples += this.examples[i];
    }
    return loss / examples;
  }
}
