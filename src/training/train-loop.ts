import type { DataPosition } from '../data/index.js';
import { learningRateAt } from '../optimizers/index.js';
import type { BatchSlot } from '../tensor/index.js';
import { BestWatch, type Occasion } from './best-watch.js';
import { eachTick, StoppableWait } from './data-wait.js';
import { type EvaluationMetrics, evaluate } from './evaluate.js';
import { HeldBatch } from './held-batch.js';
import { type HookActions, HookRunner } from './hook-runner.js';
import type { Retention, StopReason, TrainResult } from './hooks.js';
import { LoopSaves } from './loop-saves.js';
import { OneAtATime } from './one-at-a-time.js';
import { doneFraction, ProgressReports, secondsLeft } from './progress-reports.js';
import { ProgressiveValidation } from './progressive.js';
import { isTime, saveDue } from './save-due.js';
import { StepLosses } from './step-losses.js';
import { Timeline } from './timeline.js';
import { checkNewest, KEEP_ALL, KEEP_CHECKPOINTS, type TrainerState, type TrainLoopParts } from './train-loop-parts.js';
import { trainResult } from './train-result.js';

/** The loop around the step: feeds batches, calls hooks, reports, evaluates, saves, knows when to stop. */
export class TrainLoop implements HookActions {
  /** Steps sent out; all of them are done whenever the engine is synced. */
  step: number;
  private examples: number;
  private runExamples = 0;
  private readonly target: number;
  private readonly hooks: HookRunner;
  readonly timeline: Timeline;
  private readonly bestWatch: BestWatch;
  private newest: number;
  private evaluation: EvaluationMetrics | null = null;
  private evaluatedStep = -1;
  /** An evaluation of the schedule was given up at this step. */
  private evaluationDue = false;
  private readonly saves: LoopSaves;
  private savedAtMs = 0;
  private evaluatedAtMs = 0;
  /** Why the loop has ended; null while it goes on. */
  private ended: StopReason | null = null;
  private readonly losses: StepLosses;
  private readonly reports: ProgressReports;
  private readonly windows: ProgressiveValidation | null;
  private activeMs = 0;
  private activeSince = 0;
  /** Calls of {@link untimed} under way, one in the other. */
  private untimedDepth = 0;
  /** Work on the engine that hooks asked for, one after the other. */
  private readonly engineWork = new OneAtATime();
  /** Slots that hold the next step while hooks are called before it. */
  private filled: readonly BatchSlot[] | null = null;
  private stepEpoch = 0;
  /** Done part at the start of this process: a resumed run does not begin at 0. */
  private startFraction = 0;
  /** Epoch of the step before; at the start that of the first step, which may be the last of its epoch. */
  private lastEpoch = 0;
  /** Where the next step starts. The pipeline itself may be further, in the middle of a step that a stop gave up. */
  private position: DataPosition;
  private readonly waits: StoppableWait;

  constructor(private readonly parts: TrainLoopParts) {
    const { state, settings } = parts;
    this.losses = new StepLosses(parts.engine.maxInFlight);
    this.step = state?.step ?? 0;
    this.target = settings.target ?? (settings.maxSteps > 0 ? settings.maxSteps : Number.POSITIVE_INFINITY);
    this.reports = new ProgressReports(settings.logEverySeconds ?? 0, this.step);
    this.examples = state?.examples ?? 0;
    this.position = parts.train.position;
    const { windows } = settings;
    const times = parts.train.stream?.eventTimes;
    this.windows = windows && times ? new ProgressiveValidation(windows, parts.engine, times.length, state?.windows) : null;
    this.bestWatch = new BestWatch(settings.earlyStop, state);
    this.newest = settings.retention?.newest ?? KEEP_CHECKPOINTS;
    if (settings.retention?.best != null) this.bestWatch.keepBestBy(settings.retention.best);
    this.timeline = new Timeline(parts.engine);
    this.waits = new StoppableWait(parts.stop);
    this.hooks = new HookRunner(parts.hooks, this);
    this.saves = new LoopSaves(
      parts.resumedFrom,
      (event) => this.hooks.each('onCheckpoint', (hook, context) => hook.onCheckpoint?.(event, context)),
      parts.now,
    );
  }

  /** Trains until the data end, a limit is reached, a hook or `stop` says so; evaluates and saves at the end. */
  async run(): Promise<TrainResult> {
    let result: TrainResult;
    try {
      result = await this.train();
    } catch (error) {
      // The first error is the one to tell of.
      await this.hooks.close().catch(() => {});
      throw error;
    }
    await this.hooks.close();
    return result;
  }

  private async train(): Promise<TrainResult> {
    const { stop, train, now, state, evaluation } = this.parts;
    await this.hooks.all('onStart', (hook, context) => hook.onStart?.(this.step, context));
    this.activeSince = this.savedAtMs = this.evaluatedAtMs = now();
    this.reports.begin(this.activeSince);
    this.startFraction = doneFraction(train.stats().progress, this.step, this.target) ?? 0;
    this.lastEpoch = this.position.epoch;
    this.ended = state?.finished === true ? 'early stopping' : null;
    this.hooks.restore(state?.hooks);
    if (this.parts.resumedFrom !== null) this.saves.held = JSON.stringify(this.stateNow());
    await this.untimed(() => this.hooks.begin());
    const due = state?.evaluationDue === true || (state !== null && state.step > 0 && (await this.epochEnded()));
    if (this.ended === null && due) this.ended = await this.pauseTo(evaluation !== null, null, null);
    while (this.ended === null) {
      if (stop?.aborted === true) this.ended = 'stopped';
      else if (this.hooks.stopRequest !== null) this.ended = 'stopped by hook';
      else if (this.step >= this.target) this.ended = 'max steps';
      else this.ended = await this.makeStep();
    }
    await this.untimed(() => this.finish());
    const { step, examples, runExamples, evaluation: last, activeMs } = this;
    const known = { step, examples, runExamples, evaluation: last, activeMs, stopRequest: this.hooks.stopRequest, reason: this.ended };
    const result = await trainResult(this.parts, { ...known, loss: this.losses.recentMean(), checkpoint: this.saves.path });
    await this.hooks.all('onEnd', (hook, context) => hook.onEnd?.(result, context));
    return result;
  }

  /** What comes behind the last step: the last report, evaluation and checkpoint. */
  private async finish(): Promise<void> {
    const { stop, evaluation } = this.parts;
    await this.reportRest();
    await this.tellWindows(true);
    if (this.ended !== 'stopped' && evaluation !== null && this.evaluatedStep !== this.step) {
      await this.evaluateNow('end');
      // Given up: the same command again makes up for it.
      if (stop?.aborted === true && this.evaluatedStep !== this.step) this.ended = 'stopped';
    }
    await this.hooks.all('end', (hook, context) => hook.end?.(this.step, this.losses.last, context));
    await this.saveNow(true);
  }

  /** One step, and what is due around it; a reason where training ends. */
  private async makeStep(): Promise<StopReason | null> {
    const { engine, train, now } = this.parts;
    const step = this.step;
    let slots = await this.timeline.span('wait for a free slot', step, () => engine.acquire());
    this.collect();
    const next = this.timeline.span('read data', step, () => train.nextStep(slots));
    const wait = this.waits.untilStopped(engine.whileSound(next));
    if (train.stream !== undefined) await eachTick(wait, () => this.whileWaiting());
    const examples = await wait;
    if (examples === null) return 'stopped';
    if (examples === 0) {
      this.position = train.position;
      return 'end of data';
    }
    const due = this.hooks.due(step, now());
    if (due && this.hooks.wantsBefore) {
      this.filled = slots;
      await this.untimed(() => this.hooks.beforeStep(step));
      slots = this.filled;
      this.filled = null;
    }
    this.stepEpoch = this.position.epoch;
    this.position = train.position;
    this.losses.sent(engine.rounds, step, examples);
    if (train.stream !== undefined) this.windows?.sent(engine.rounds, train.stream.eventTimes);
    await this.timeline.span('send out', step, () => engine.submitTrain(step));
    this.step++;
    this.examples += examples;
    this.runExamples += examples;
    return this.betweenSteps(due ? step : null, await this.epochEnded());
  }

  /** What is due while a stream is silent: steps that are done are told of and saved. */
  private async whileWaiting(): Promise<void> {
    const { settings, now } = this.parts;
    this.collect();
    if (!this.reports.covers(this.step) && this.reports.isDue(now())) await this.report();
    await this.tellWindows();
    if (this.saves.haveEnded) await this.saves.finish();
    if (isTime(settings.checkpointEverySeconds, this.savedAtMs, now())) await this.untimed(() => this.beginSave('whole', false));
  }

  /** @param unfinished those too that are open still. */
  private async tellWindows(unfinished = false): Promise<void> {
    const { windows } = this;
    if (windows === null) return;
    const events = [...windows.take(), ...(unfinished ? windows.unfinished(this.step) : [])];
    for (const event of events) await this.hooks.each('onWindow', (hook, context) => hook.onWindow?.(event, context));
  }

  /** Whether the epoch has ended since the last question. Only where evaluations ask for it: whether there is more may take a wait for data. */
  private async epochEnded(): Promise<boolean> {
    const { settings, evaluation, engine, train } = this.parts;
    if (evaluation === null || settings.evalEvery > 0 || (settings.evalEverySeconds ?? 0) > 0) return false;
    const settled = await this.waits.untilStopped(engine.whileSound(train.settle().then(() => true)));
    // Given up: the run that goes on from here asks again.
    if (settled === null) return false;
    this.position = train.position;
    const { epoch } = this.position;
    const ended = epoch !== this.lastEpoch;
    this.lastEpoch = epoch;
    return ended;
  }

  /** Reports, evaluates, calls hooks and saves where it is time to. @param hookStep the step just made, where hooks want to know of it. */
  private async betweenSteps(hookStep: number | null, epochEnded: boolean): Promise<StopReason | null> {
    const { settings, now, evaluation } = this.parts;
    this.collect();
    await this.tellWindows();
    const nowMs = now();
    if (this.reports.isDue(nowMs)) await this.report();
    const bySteps = settings.evalEvery > 0 && this.step % settings.evalEvery === 0;
    const evaluateNow = evaluation !== null && (bySteps || epochEnded || isTime(settings.evalEverySeconds, this.evaluatedAtMs, nowMs));
    if (this.saves.haveEnded) await this.saves.finish();
    const due = saveDue(settings, this.step, this.savedAtMs, nowMs);
    if (!evaluateNow && due === null && hookStep === null) return null;
    return this.pauseTo(evaluateNow, hookStep, due);
  }

  /** The order matters: what a hook saves must have the evaluation of its step behind it, or a run that goes on from there would miss it. */
  private pauseTo(evaluateNow: boolean, hookStep: number | null, due: 'whole' | 'delta' | null): Promise<StopReason | null> {
    return this.untimed(async () => {
      if (evaluateNow) await this.reportRest();
      const verdict = evaluateNow ? await this.evaluateNow('schedule') : null;
      if (verdict?.stop === true) this.ended = 'early stopping';
      const { last } = this.losses;
      const savedBefore = this.saves.held;
      if (hookStep !== null && last !== null) await this.hooks.afterStep(hookStep, last);
      const saveBest = verdict?.best === true && this.bestWatch.saves('schedule');
      // A hook that saved may have done so before another one learnt of this step.
      const save = due !== null || saveBest || this.saves.held !== savedBefore;
      if (this.ended === null && save) await this.beginSave(due === 'delta' && !saveBest ? 'delta' : 'whole', false);
      return this.ended;
    });
  }

  /** Takes the losses of finished steps, in order. */
  private collect(): void {
    this.timeline.collect();
    this.losses.collect(this.parts.engine, (loss, { examples, round, step }) => {
      this.reports.addLoss(loss, examples);
      this.windows?.done(round, step + 1);
    });
  }

  /** Waits for the steps in flight, then does something that is not training: its time does not count. */
  private async untimed<T>(work: () => Promise<T>): Promise<T> {
    const { engine, now } = this.parts;
    if (this.untimedDepth === 0) {
      await this.timeline.span('wait for steps in flight', this.step, () => engine.sync());
      this.collect();
      this.activeMs += now() - this.activeSince;
    }
    const from = now();
    this.untimedDepth++;
    try {
      return await work();
    } finally {
      this.untimedDepth--;
      if (this.untimedDepth === 0) {
        this.activeSince = now();
        this.reports.skip(this.activeSince - from);
      }
    }
  }

  /** Reports steps that no report has covered yet: an evaluation stands beside the loss of the steps before it, and no run is too short. */
  private async reportRest(): Promise<void> {
    if (!this.reports.covers(this.step)) await this.report();
  }

  private async report(): Promise<void> {
    const { now, train, engine } = this.parts;
    this.collect();
    const stats = train.stats();
    const fraction = doneFraction(stats.progress, this.step, this.target);
    const progress = {
      step: this.step,
      epoch: this.stepEpoch,
      examples: this.examples,
      ...this.reports.next(now(), this.step, this.runExamples, engine),
      learningRateFactor: this.learningRateFactor,
      fraction,
      etaSeconds: secondsLeft(fraction, this.startFraction, this.activeMs + now() - this.activeSince),
      badRecords: stats.badRecords,
    };
    await this.hooks.each('onProgress', (hook, context) => hook.onProgress?.(progress, context));
  }

  get modelDir(): string {
    return this.parts.modelDir;
  }

  get learningRateFactor(): number {
    return learningRateAt(this.parts.engine.spec.schedule, 1, this.step);
  }

  /** For hooks. */
  save(): Promise<string> {
    return this.untimed(() => this.saveNow());
  }

  async evaluate(): Promise<EvaluationMetrics | null> {
    if (this.evaluatedStep === this.step) return this.evaluation;
    await this.untimed(async () => {
      const { best } = await this.evaluateNow('hook');
      if (best && this.bestWatch.saves('hook')) await this.saveNow();
    });
    return this.evaluatedStep === this.step ? this.evaluation : null;
  }

  /** For hooks. */
  retain({ newest, best }: Retention): void {
    checkNewest(newest);
    this.newest = newest === 0 ? KEEP_ALL : newest;
    if (best !== undefined) this.bestWatch.keepBestBy(best);
  }

  /** Evaluates, unless training is to stop meanwhile: then nothing was evaluated. */
  private async evaluateNow(occasion: Occasion): Promise<{ readonly best: boolean; readonly stop: boolean }> {
    const none = { best: false, stop: false };
    if (this.parts.evaluation === null) return none;
    let metrics: EvaluationMetrics | null;
    try {
      metrics = await this.timeline.span('evaluate', this.step, () => this.engineWork.run(() => this.evaluated()));
    } catch (error) {
      throw await this.savedBefore(error);
    }
    if (occasion === 'schedule') this.evaluationDue = metrics === null;
    if (metrics === null) return none;
    this.evaluation = metrics;
    this.evaluatedStep = this.step;
    this.evaluatedAtMs = this.parts.now();
    const { best, stop } = this.bestWatch.update(this.step, metrics, occasion);
    const event = { step: this.step, epoch: this.position.epoch, metrics, best };
    await this.hooks.each('onEvaluation', (hook, context) => hook.onEvaluation?.(event, context));
    return { best, stop };
  }

  private async evaluated(): Promise<EvaluationMetrics | null> {
    const { engine, evaluation, stop, settings } = this.parts;
    if (evaluation === null) return null;
    const held = this.filled === null ? null : new HeldBatch(this.filled);
    await evaluation.rewind();
    const metrics = await evaluate(engine, evaluation, stop, settings.evalSteps);
    if (metrics !== null) this.bestWatch.check(metrics);
    if (held !== null) {
      this.filled = await engine.acquire();
      held.putInto(this.filled);
    }
    return metrics;
  }

  /** Bad evaluation data must not cost what was trained: saves it where that still works, and hands the error back. */
  private async savedBefore(error: unknown): Promise<unknown> {
    try {
      await this.parts.engine.sync();
      await this.saveNow(true);
    } catch {
      // The first error is the one to tell of.
    }
    return error;
  }

  private stateNow(): TrainerState {
    const { step, examples } = this;
    const hooks = this.hooks.states();
    return {
      step,
      examples,
      ...this.bestWatch.state(),
      finished: this.ended === 'early stopping',
      ...(this.evaluationDue ? { evaluationDue: true } : {}),
      ...(hooks === undefined ? {} : { hooks }),
      ...(this.windows === null ? {} : { windows: this.windows.state() }),
    };
  }

  /** Saves the present state, and returns the path once that is durable. @param last nothing will be trained meanwhile. */
  private async saveNow(last = false): Promise<string> {
    await this.beginSave('whole', last);
    await this.saves.finish();
    return this.saves.path ?? '';
  }

  /**
   * The one place where checkpoints are begun, for the schedule, for hooks and at the end. The engine is synced, and may go on when this resolves: the state
   * is captured. Hooks are told once it is durable: what {@link HookContext.save} and `onCheckpoint` promise rests on that.
   */
  private async beginSave(kind: 'whole' | 'delta', last: boolean): Promise<void> {
    const state = this.stateNow();
    const metrics = this.evaluatedStep === this.step ? this.evaluation : null;
    const how = { delta: kind === 'delta', last };
    await this.saves.begin(JSON.stringify(state), () =>
      this.timeline.span('checkpoint', this.step, () =>
        this.engineWork.run(() => this.parts.save(state, metrics, this.bestWatch.bestStep, this.position, this.newest, how)),
      ),
    );
    this.savedAtMs = this.parts.now();
  }
}
