import type { EvaluationMetrics } from './evaluate.js';

export type EarlyStopSettings = {
  /** 'auc' and 'accuracy' are better when higher, all others when lower. */
  readonly metric: string;
  /** Evaluations without improvement after which training ends; 0: never. */
  readonly patience: number;
  /** What counts as an improvement. */
  readonly minDelta: number;
};

export type EarlyStopState = { readonly best: number | null; readonly bestStep: number | null; readonly waited: number };

const HIGHER_IS_BETTER = new Set(['auc', 'accuracy']);

/** Watches one metric over evaluations: which was the best, and whether it is time to give up. */
export class EarlyStopping {
  private best: number | null;
  private bestStep: number | null;
  private waited: number;

  constructor(
    private readonly settings: EarlyStopSettings,
    state: EarlyStopState | null,
  ) {
    this.best = state?.best ?? null;
    this.bestStep = state?.bestStep ?? null;
    this.waited = state?.waited ?? 0;
  }

  /** Takes one evaluation in. A metric that is NaN or that the evaluation lacks never counts as an improvement. */
  update(step: number, metrics: EvaluationMetrics): { best: boolean; stop: boolean } {
    const value = (metrics as { readonly [name: string]: unknown })[this.settings.metric];
    const improved = typeof value === 'number' && !Number.isNaN(value) && this.better(value);
    if (improved) {
      this.best = value;
      this.bestStep = step;
      this.waited = 0;
    } else {
      this.waited++;
    }
    return { best: improved, stop: this.settings.patience > 0 && this.waited >= this.settings.patience };
  }

  state(): EarlyStopState {
    return { best: this.best, bestStep: this.bestStep, waited: this.waited };
  }

  /** The state with the figure it belongs to. */
  namedState(): EarlyStopState & { readonly metric: string } {
    return { metric: this.settings.metric, ...this.state() };
  }

  /** One that may take in what this one must not know of. */
  copy(): EarlyStopping {
    return new EarlyStopping(this.settings, this.state());
  }

  private better(value: number): boolean {
    if (this.best === null) return true;
    const gain = HIGHER_IS_BETTER.has(this.settings.metric) ? value - this.best : this.best - value;
    return gain > this.settings.minDelta;
  }
}
