/** What an arrival at the barrier found. */
export type BarrierStatus =
  | {
      readonly state: 'waiting';
      /** The worker's step. */
      readonly epoch: number;
      /** Workers that are there, this one included. */
      readonly arrived: number;
      readonly required: number;
    }
  | { readonly state: 'released'; readonly epoch: number; readonly participants: number };

type Wait = { readonly worker: number; readonly end: (status: BarrierStatus | Error) => void };

/**
 * Workers meet at the end of each step: the barrier of epoch e is released when all of them are there. Who comes later still sees that it was;
 * that is forgotten once every worker's step is past e. One thread uses it, so there is nothing between looking and waiting.
 */
export class StepBarrier {
  /** [worker] steps done; the epoch at which it arrives next. */
  readonly steps: Float64Array;
  /** epoch → workers that are there. */
  private readonly arrivals = new Map<number, Set<number>>();
  /** epoch → how many took part. */
  private readonly released = new Map<number, number>();
  private readonly waits = new Map<number, Set<Wait>>();

  constructor(private readonly workers: number) {
    this.steps = new Float64Array(workers);
  }

  /** Epochs whose release is still remembered, in ascending order. */
  get releasedEpochs(): number[] {
    return [...this.released.keys()].sort((a, b) => a - b);
  }

  /** Workers that are at a barrier not yet released, over all epochs. */
  get numWaiting(): number {
    let count = 0;
    for (const there of this.arrivals.values()) count += there.size;
    return count;
  }

  /** The worker arrives at its epoch; never waits. Arriving again changes nothing. */
  arrive(worker: number): BarrierStatus {
    this.prune();
    const epoch = this.steps[worker];
    const participants = this.released.get(epoch);
    if (participants !== undefined) return { state: 'released', epoch, participants };
    let there = this.arrivals.get(epoch);
    if (there === undefined) {
      there = new Set();
      this.arrivals.set(epoch, there);
    }
    there.add(worker);
    if (there.size < this.workers) return { state: 'waiting', epoch, arrived: there.size, required: this.workers };
    this.arrivals.delete(epoch);
    this.released.set(epoch, this.workers);
    const status: BarrierStatus = { state: 'released', epoch, participants: this.workers };
    for (const wait of this.waits.get(epoch) ?? []) wait.end(status);
    this.waits.delete(epoch);
    return status;
  }

  /** Calls `end` once: when the epoch is released or the barrier is cleared. The answer takes the wait back. */
  whenReleased(epoch: number, worker: number, end: (status: BarrierStatus | Error) => void): () => void {
    const wait = { worker, end };
    const waits = this.waits.get(epoch) ?? new Set();
    this.waits.set(epoch, waits.add(wait));
    return () => {
      waits.delete(wait);
      if (waits.size === 0 && this.waits.get(epoch) === waits) this.waits.delete(epoch);
    };
  }

  /** The worker is no longer at the barrier of `epoch`, unless another wait of it is. */
  leave(epoch: number, worker: number): void {
    for (const wait of this.waits.get(epoch) ?? []) if (wait.worker === worker) return;
    const there = this.arrivals.get(epoch);
    if (there === undefined) return;
    there.delete(worker);
    if (there.size === 0) this.arrivals.delete(epoch);
  }

  /** Ends all waits with `reason`. */
  interrupt(reason: () => Error): void {
    const all = [...this.waits.values()].flatMap((waits) => [...waits]);
    this.waits.clear();
    for (const wait of all) wait.end(reason());
  }

  /** Forgets arrivals and releases; steps stay. */
  clear(): void {
    this.arrivals.clear();
    this.released.clear();
  }

  /** Drops what no worker can come to any more. */
  private prune(): void {
    let least = Number.POSITIVE_INFINITY;
    for (const step of this.steps) if (step < least) least = step;
    for (const epoch of this.released.keys()) if (epoch < least) this.released.delete(epoch);
    for (const epoch of this.arrivals.keys()) if (epoch < least && !this.waits.has(epoch)) this.arrivals.delete(epoch);
  }
}
