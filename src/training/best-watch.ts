import { EarlyStopping, type EarlyStopSettings, type EarlyStopState } from './early-stopping.js';
import type { EvaluationMetrics } from './evaluate.js';

/** What of a {@link BestWatch} stands in a checkpoint. */
export type BestState = {
  readonly earlyStop: EarlyStopState;
  /** The best state by the figure that decides what is kept, where that is not the one of early stopping. */
  readonly best?: EarlyStopState & { readonly metric: string };
};

/** Watches evaluations: whether to stop early, and which state is the best, by a figure of its own where one was named. */
export class BestWatch {
  private readonly earlyStopping: EarlyStopping;
  private best: EarlyStopping | null = null;
  /** Whether the best state gets a checkpoint, whatever the schedule says. */
  savesBest: boolean;

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
    this.best = metric === this.settings.metric ? null : new EarlyStopping({ metric, patience: 0, minDelta: 0 }, saved);
    this.savesBest = true;
  }

  /** Takes one evaluation in. One beside the schedule does not count: a run that goes on from a checkpoint has not seen it. */
  update(step: number, metrics: EvaluationMetrics, scheduled: boolean): { readonly best: boolean; readonly stop: boolean } {
    const verdict = (scheduled ? this.earlyStopping : this.earlyStopping.copy()).update(step, metrics);
    const best = this.best === null ? verdict.best : (scheduled ? this.best : this.best.copy()).update(step, metrics).best;
    return { best, stop: verdict.stop && scheduled };
  }

  get bestStep(): number | null {
    return (this.best ?? this.earlyStopping).state().bestStep;
  }

  state(): BestState {
    return { earlyStop: this.earlyStopping.state(), ...(this.best === null ? {} : { best: this.best.namedState() }) };
  }
}
