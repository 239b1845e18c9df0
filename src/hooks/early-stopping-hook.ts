import { MonolithError, suggest } from '../base/index.js';
import type { EvaluationEvent, HookContext, HookState, HookTrigger, StepMetrics, TrainHook } from '../training/index.js';

/** Figures that only an evaluation gives. */
const EVALUATION_FIGURES = new Set(['auc', 'logloss', 'normalizedEntropy', 'accuracy', 'calibration', 'mse', 'rmse', 'mae']);
const LOWER_IS_BETTER = new Set(['loss', 'logloss', 'normalizedEntropy', 'mse', 'rmse', 'mae']);

export type EarlyStoppingOptions = {
  /** What is better; default: lower for losses and errors, higher for everything else. */
  readonly mode?: 'min' | 'max';
  /** For a figure of steps (`loss`): steps between looks; every step unless given. Figures of an evaluation are seen whenever there is one. */
  readonly everySteps?: number;
};

/**
 * Stops after `patience` looks in a row without an improvement of more than `minDelta`. A look at figures that lack the metric does not count,
 * and a metric that neither steps nor evaluations have ends the run;
 * one that is NaN is no improvement. What it has seen stands in checkpoints: a run that goes on stops where the uncut one would have.
 */
export class EarlyStoppingHook implements TrainHook {
  readonly name: string;
  readonly trigger: HookTrigger;
  private readonly lower: boolean;
  private readonly ofEvaluation: boolean;
  private best: number | null = null;
  private waited = 0;
  /** Looks at steps, and whether one of them had the metric. */
  private stepsSeen = 0;
  private isOfSteps = false;

  /**
   * @param metric   `loss`, a figure of the evaluation (`auc`, `accuracy`, …) or one that the model adds to its steps.
   * @param patience an integer ≥ 1.
   * @param minDelta what an improvement must exceed, ≥ 0.
   * @throws InvalidArgument
   */
  constructor(
    readonly metric: string,
    readonly patience: number,
    readonly minDelta = 0,
    options: EarlyStoppingOptions = {},
  ) {
    if (!Number.isSafeInteger(patience) || patience < 1) {
      throw new MonolithError('InvalidArgument', `EarlyStoppingHook: patience must be an integer ≥ 1, got ${patience}`);
    }
    if (!(minDelta >= 0)) throw new MonolithError('InvalidArgument', `EarlyStoppingHook: minDelta must be a number ≥ 0, got ${minDelta}`);
    this.name = `EarlyStoppingHook(${metric})`;
    this.lower = options.mode === undefined ? LOWER_IS_BETTER.has(metric) : options.mode === 'min';
    this.ofEvaluation = EVALUATION_FIGURES.has(metric) && options.everySteps === undefined;
    this.trigger = this.ofEvaluation ? { due: () => false } : { everySteps: options.everySteps ?? 1 };
  }

  restore(state: HookState): void {
    const { best, waited } = state as { best: number | null; waited: number };
    this.best = best;
    this.waited = waited;
  }

  state(): HookState {
    return { best: this.best, waited: this.waited };
  }

  /** A run that goes on where this hook ended the one before stays ended. */
  begin(context: HookContext): void {
    this.judge(context);
  }

  afterStep(_step: number, metrics: StepMetrics, context: HookContext): void {
    this.stepsSeen++;
    this.isOfSteps ||= this.metric in metrics;
    this.look(metrics, context);
  }

  onEvaluation({ metrics }: EvaluationEvent, context: HookContext): void {
    if (!(this.metric in metrics) && !this.isOfSteps && (this.ofEvaluation || this.stepsSeen > 0)) {
      const known = Object.keys(metrics);
      const meant = suggest(this.metric, known);
      throw new MonolithError(
        'InvalidArgument',
        `neither steps nor evaluations of this model have a figure "${this.metric}"; ${meant === null ? `evaluations have ${known.join(', ')}` : `did you mean "${meant}"?`}`,
        { metric: this.metric },
      );
    }
    this.look(metrics, context);
  }

  private look(metrics: object, context: HookContext): void {
    const value = (metrics as { readonly [name: string]: unknown })[this.metric];
    if (typeof value !== 'number') return;
    const gain = this.best === null ? Number.POSITIVE_INFINITY : this.lower ? this.best - value : value - this.best;
    if (!Number.isNaN(value) && gain > this.minDelta) {
      this.best = value;
      this.waited = 0;
    } else {
      this.waited++;
    }
    this.judge(context);
  }

  private judge(context: HookContext): void {
    if (this.waited < this.patience) return;
    context.stop(`${this.metric} has not improved on ${this.best} for ${this.waited} looks`);
  }
}
