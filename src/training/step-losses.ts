import { MonolithError } from '../base/index.js';
import { PrefetchQueue } from '../queues/index.js';
import type { TrainingEngine } from './engine.js';
import type { StepMetrics } from './hooks.js';

/** A step that was sent out. */
export type SentStep = { readonly round: number; readonly step: number; readonly examples: number };

/** Matches steps that were sent out with the losses that come back, in order. */
export class StepLosses {
  /** Figures of the last step that is known to be done; null before the first. */
  last: StepMetrics | null = null;
  private readonly recent = new RecentLoss();
  /** Sent out and not yet seen to be done. */
  private readonly pending: PrefetchQueue<SentStep>;

  /** @param maxInFlight most steps that are sent out and not yet done. */
  constructor(private readonly maxInFlight: number) {
    this.pending = new PrefetchQueue(maxInFlight);
  }

  /** @param round of the engine that carries the step out. */
  sent(round: number, step: number, examples: number): void {
    if (this.pending.tryEnqueue({ round, step, examples })) return;
    throw new MonolithError('Internal', `step ${step} was sent out while ${this.maxInFlight} others were not seen to be done`);
  }

  /** Takes the losses of finished steps. @param receive gets Σ loss of each, in order of steps. */
  collect(engine: TrainingEngine, receive: (loss: number, sent: SentStep) => void): void {
    const completed = engine.completedRounds();
    for (let next = this.pending.peek(); next !== undefined && next.round < completed; next = this.pending.peek()) {
      const { step, examples } = next;
      this.pending.tryDequeue();
      const loss = engine.lossOf(step);
      this.recent.add(loss, examples);
      receive(loss, next);
      this.last = { loss: loss / examples, examples };
    }
  }

  /** Mean loss per example of the last steps; NaN when there was none. */
  recentMean(): number {
    return this.recent.mean();
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
