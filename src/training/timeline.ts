import type { TrainingEngine } from './engine.js';

/** A stretch of time that one thread spent on one stage; milliseconds since the epoch. */
export type Span = {
  /** `main`, `worker 0`, `shard 0`, … */
  readonly thread: string;
  /** A stage of {@link STAGES}, or what the training loop did. */
  readonly stage: string;
  /** null where it belongs to no step. */
  readonly step: number | null;
  readonly beginMs: number;
  readonly endMs: number;
};

/** Records what the threads of a run do when, while it is on. Off, it costs a comparison a stage. */
export class Timeline {
  private spans: Span[] | null = null;

  constructor(private readonly engine: Pick<TrainingEngine, 'recordSpans' | 'takeSpans'>) {}

  start(): void {
    this.spans = [];
    this.engine.recordSpans?.(true);
  }

  /** Takes over what other threads have recorded so far; their logs are short. */
  collect(): void {
    if (this.spans !== null) this.spans.push(...(this.engine.takeSpans?.() ?? []));
  }

  /** What was recorded since {@link start}, in the order of beginning. */
  stop(): readonly Span[] {
    this.collect();
    const spans = this.spans ?? [];
    this.spans = null;
    this.engine.recordSpans?.(false);
    return spans.sort((a, b) => a.beginMs - b.beginMs);
  }

  /** Does something of the main thread and records it. */
  async span<T>(stage: string, step: number, work: () => Promise<T>): Promise<T> {
    if (this.spans === null) return work();
    const beginMs = performance.timeOrigin + performance.now();
    try {
      return await work();
    } finally {
      this.spans?.push({ thread: 'main', stage, step, beginMs, endMs: performance.timeOrigin + performance.now() });
    }
  }
}
