import { monotonicMs } from '../base/index.js';

/** Samples kept; with a window of five seconds and four updates a second a dozen would do. */
const MAX_SAMPLES = 64;

/**
 * Rate of something counted (examples, rows, bytes) on a monotonic clock: over a window of the last few seconds, and in all. A pause ends a
 * stretch: the time until {@link resume} counts nowhere.
 */
export class Throughput {
  /** Clock reading and total of each sample, oldest first. */
  private readonly times: number[] = [];
  private readonly totals: number[] = [];
  private count = 0;
  private elapsed = 0;
  private startedAt: number | null = null;

  /**
   * @param windowMs length of the window.
   * @param nowMs    monotonic clock in milliseconds.
   */
  constructor(
    private readonly windowMs = 5000,
    private readonly nowMs: () => number = monotonicMs,
  ) {}

  /** Starts the clock; the first {@link add} does so too. */
  resume(): void {
    if (this.startedAt !== null) return;
    this.startedAt = this.nowMs();
    this.times.push(this.startedAt);
    this.totals.push(this.count);
  }

  /** Stops the clock, as for an evaluation or a checkpoint. */
  pause(): void {
    if (this.startedAt === null) return;
    this.elapsed += this.nowMs() - this.startedAt;
    this.startedAt = null;
    this.times.length = 0;
    this.totals.length = 0;
  }

  /** Counts `amount` more, done by now. */
  add(amount: number): void {
    this.resume();
    this.count += amount;
    const now = this.nowMs();
    const last = this.times.length - 1;
    // Several updates in a short while share one sample, so that the list stays short at any step rate.
    if (last > 0 && now - this.times[last - 1] < this.windowMs / MAX_SAMPLES) {
      this.times[last] = now;
      this.totals[last] = this.count;
    } else {
      this.times.push(now);
      this.totals.push(this.count);
    }
    while (this.times.length > 2 && this.times[1] <= now - this.windowMs) {
      this.times.shift();
      this.totals.shift();
    }
  }

  /** Everything counted. */
  get total(): number {
    return this.count;
  }

  /** Milliseconds that the clock ran. */
  get elapsedMs(): number {
    return this.elapsed + (this.startedAt === null ? 0 : this.nowMs() - this.startedAt);
  }

  /** Per second, over the window; 0 before there are two readings. */
  get windowRate(): number {
    const last = this.times.length - 1;
    const spanMs = last < 1 ? 0 : this.times[last] - this.times[0];
    return spanMs > 0 ? ((this.totals[last] - this.totals[0]) * 1000) / spanMs : 0;
  }

  /** Per second, over all the time that the clock ran. */
  get meanRate(): number {
    const { elapsedMs } = this;
    return elapsedMs > 0 ? (this.count * 1000) / elapsedMs : 0;
  }
}
