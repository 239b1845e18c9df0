import { MonolithError } from '../base/index.js';
import { EarlyStopping, type EarlyStopSettings, type EarlyStopState } from './early-stopping.js';
import type { EvaluationMetrics } from './evaluate.js';

/** What of a {@link BestWatch} stands in a checkpoint. */
export type BestState = {
  readonly earlyStop: EarlyStopState;
  /** The best state by the figure that decides what is kept, where that is not the one of early stopping. */
  readonly best?: EarlyStopState & { readonly metric: string };
};

/** Why there was an evaluation: the schedule of the run, a hook, or the end of training. */
export type Occasion = 'schedule' | 'hook' | 'end';

/** Watches evaluations: whether to stop early, and which state is the best, by a figure of its own where one was named. */
export class BestWatch {
  private readonly earlyStopping: EarlyStopping;
  private best: EarlyStopping | null = null;
  private bestMetric: string | null = null;
  /** Whether the best state gets a checkpoint, whatever the schedule says. */
  private savesBest: boolean;

  constructor(
    private readonly settings: EarlyStopSettings,
    private readonly saved: BestState | null,
  ) {
    this.earlyStopping = new EarlyStopping(settings, saved?.earlyStop ?? null);
    // With early stopping the best state is what the run is for: it must not depend on a checkpoint being due just then.
    this.savesBest = settings.patience > 0;
  }

  /** From now on the best state is that of this figure, and it gets a checkpoint. */
  keepBestBy(metric: string): void {
    const saved = this.saved?.best?.metric === metric ? this.saved.best : null;
    this.bestMetric = metric;
    this.best = new EarlyStopping({ metric, patience: 0, minDelta: 0 }, saved);
    this.savesBest = true;
  }

  /** A figure that is watched and that this model's evaluations never have would end the run for want of a gain, or keep nothing. @throws InvalidConfig */
  check(metrics: EvaluationMetrics): void {
    const watched = [this.settings.patience > 0 ? this.settings.metric : null, this.bestMetric];
    for (const metric of watched) {
      if (metric === null || metric in metrics) continue;
      throw new MonolithError(
        'InvalidConfig',
        `the evaluation has no figure "${metric}" to stop early or keep the best by; this model's has ${Object.keys(metrics).join(', ')}`,
        { metric },
      );
    }
  }

  /**
   * Takes one evaluation in. Early stopping counts those of the schedule alone; the best state may also be found by a hook's. The one at the end
   * counts for neither: a run that goes on from there has not seen it.
   */
  update(step: number, metrics: EvaluationMetrics, occasion: Occasion): { readonly best: boolean; readonly stop: boolean } {
    const scheduled = occasion === 'schedule';
    const verdict = (scheduled ? this.earlyStopping : this.earlyStopping.copy()).update(step, metrics);
    const best = this.best === null ? verdict.best : (occasion === 'end' ? this.best.copy() : this.best).update(step, metrics).best;
    return { best, stop: verdict.stop && scheduled };
  }

  /** Whether the best state is to be saved when an evaluation on this occasion finds it. */
  saves(occasion: Occasion): boolean {
    return this.savesBest && (occasion === 'schedule' || (occasion === 'hook' && this.best !== null));
  }

  get bestStep(): number | null {
    return (this.best ?? this.earlyStopping).state().bestStep;
  }

  state(): BestState {
    return { earlyStop: this.earlyStopping.state(), ...(this.best === null ? {} : { best: this.best.namedState() }) };
  }
}
