import type { Counter, Ownership, Turn } from '../../sharedarraybuffer-ring/index.js';
import type { PsShard } from '../shard.js';
import type { ShardChannel } from '../shard-channel.js';

/**
 * What workers share to take turns at the shards.
 *
 *   word          meaning                                              moved by
 *   owners[s]     who may touch shard s: lookups, asynchronous pushes  the worker that takes it
 *   pushed        synchronous pushes of all workers, W a step          each worker
 *   sumTurns[s]   dense gradients of shard s are summed by …           the first worker to ask, once a step; only with clip.globalNorm
 *   summed        shards whose dense gradients are summed, P a step    whoever did it
 *   applyTurns[s] the step is applied on shard s by …                  the first worker to ask, once a step
 *   applied       shards on which the step is applied, P a step        whoever did it
 */
export type InPlaceLines = {
  readonly owners: readonly Ownership[];
  readonly pushed: Counter;
  readonly sumTurns: readonly Turn[];
  readonly summed: Counter;
  readonly applyTurns: readonly Turn[];
  readonly applied: Counter;
};

/**
 * All shards at once, their work done by the worker itself: no request, no answer, no other thread. Lookups and asynchronous pushes hold the
 * shard's ownership word. A synchronous step needs no such word: once all workers have pushed none looks anything up, and each shard's part of the
 * step falls to the first worker that asks for it, so the step waits for no thread that sleeps. Who does a part changes no bit of it.
 *
 * The work is done in the awaiting calls, so that it counts as waiting for rows and for the update. One region is all it needs, since there is
 * nobody who could work ahead.
 */
export class InPlaceShardChannel implements ShardChannel {
  private lookupsAsked = 0;
  private lookupsDone = 0;
  private lookupRegion = 0;
  private lookupCreate = false;
  private lookupStep = 0;
  private pushesMade = 0;
  private pushesApplied = 0;
  private pushRegion = 0;
  private pushStep = 0;
  /** [shard] 1 while this worker still has to work on it. */
  private readonly open: Uint8Array;

  /**
   * @param shards    this worker's objects of all shards.
   * @param together  synchronous mode: a step is applied when all workers have pushed.
   * @param timeoutMs longest wait for another worker.
   */
  constructor(
    private readonly worker: number,
    private readonly workers: number,
    private readonly shards: readonly PsShard[],
    private readonly lines: InPlaceLines,
    private readonly together: boolean,
    private readonly timeoutMs: number,
  ) {
    this.open = new Uint8Array(shards.length);
  }

  requestLookup(region: number, create: boolean, step: number): void {
    this.awaitLookups(this.lookupsAsked);
    this.lookupsAsked++;
    this.lookupRegion = region;
    this.lookupCreate = create;
    this.lookupStep = step;
  }

  awaitLookups(count: number): void {
    if (count <= this.lookupsDone) return;
    this.onEachShard(false);
    this.lookupsDone++;
  }

  requestApply(region: number, step: number): void {
    this.awaitApplies(this.pushesMade);
    this.pushesMade++;
    this.pushRegion = region;
    this.pushStep = step;
    if (this.together) this.lines.pushed.addTowards(1, this.pushesMade * this.workers);
  }

  awaitApplies(count: number): void {
    if (count <= this.pushesApplied) return;
    if (this.together) this.applyTogether(this.pushesApplied + 1);
    else if (this.shards[0].sumsApart) this.applyAlone();
    else this.onEachShard(true);
    this.pushesApplied++;
  }

  /** Looks up or pushes on every shard while owning it: first those that are free, beginning with another one in each worker. */
  private onEachShard(push: boolean): void {
    const { open, worker, shards, timeoutMs } = this;
    const { owners } = this.lines;
    const { length } = shards;
    open.fill(1);
    let left = length;
    while (left > 0) {
      const before = left;
      for (let i = 0; i < length; i++) {
        const s = (worker + i) % length;
        if (open[s] === 0 || !owners[s].tryTake(worker)) continue;
        this.workOn(s, push);
        left--;
      }
      if (left < before) continue;
      for (let i = 0; i < length; i++) {
        const s = (worker + i) % length;
        if (open[s] === 0) continue;
        owners[s].take(worker, timeoutMs);
        this.workOn(s, push);
        left--;
        break;
      }
    }
  }

  /** One shard's lookup or push; this worker owns the shard and gives it back. */
  private workOn(s: number, push: boolean): void {
    try {
      if (push) this.shards[s].applyOne(this.worker, this.pushRegion, this.pushStep);
      else this.shards[s].lookup(this.worker, this.lookupRegion, this.lookupCreate, this.lookupStep);
    } finally {
      this.lines.owners[s].release(this.worker);
    }
    this.open[s] = 0;
  }

  /** An asynchronous push clipped by the norm over all shards: owns all of them at once, taken in ascending order. */
  private applyAlone(): void {
    const { worker, shards, pushRegion: region, pushStep: step, timeoutMs } = this;
    const { owners } = this.lines;
    let owned = 0;
    try {
      for (; owned < shards.length; owned++) owners[owned].take(worker, timeoutMs);
      for (let s = 0; s < shards.length; s++) shards[s].sumDense(worker, region);
      for (let s = 0; s < shards.length; s++) shards[s].applyOne(worker, region, step);
    } finally {
      for (let s = 0; s < owned; s++) owners[s].release(worker);
    }
  }

  /** The `count`-th synchronous step of the run, together with whichever other workers are awake. */
  private applyTogether(count: number): void {
    const { worker, workers, shards, pushRegion: region, pushStep: step, timeoutMs } = this;
    const { pushed, sumTurns, summed, applyTurns, applied } = this.lines;
    const { length } = shards;
    pushed.waitFor(count * workers, timeoutMs);
    if (shards[0].sumsApart) {
      let sums = 0;
      for (let i = 0; i < length; i++) {
        const s = (worker + i) % length;
        if (!sumTurns[s].take(count)) continue;
        shards[s].sumDense(-1, region);
        sums++;
      }
      if (sums > 0) summed.addTowards(sums, count * length);
      summed.waitFor(count * length, timeoutMs);
    }
    let applies = 0;
    for (let i = 0; i < length; i++) {
      const s = (worker + i) % length;
      if (!applyTurns[s].take(count)) continue;
      shards[s].applyStep(region, step);
      applies++;
    }
    if (applies > 0) applied.addTowards(applies, count * length);
    applied.waitFor(count * length, timeoutMs);
  }
}
