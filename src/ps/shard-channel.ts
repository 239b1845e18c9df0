/**
 * How one worker talks to one shard, or to all of them at once, about regions of the exchange. Above this interface no code can tell which transport carries it.
 * Requests of one worker are handled in the order in which they were sent. All calls are made by the worker's thread;
 * awaiting ones block it and throw Aborted when the run ends, WaitTimeout when the deadline passes.
 */
export interface ShardChannel {
  /** Asks for the rows of the region's ids. `create`: make missing rows. */
  requestLookup(region: number, create: boolean, step: number): void;
  /** Waits until the `count`-th lookup of this run (1-based, over this channel) is answered. */
  awaitLookups(count: number): void;
  /** Hands over the gradients in the region; they may be applied at any time from now on. */
  requestApply(region: number, step: number): void;
  /** Waits until the `count`-th push of this run (1-based, over this channel) is applied. */
  awaitApplies(count: number): void;
}

/** Operations in a shard's request ring: word 0. Words 1…3: worker, region, step; for control: nothing. */
export const ShardOp = { lookup: 1, lookupReadOnly: 2, apply: 3, control: 4, stop: 5 } as const;
export const SHARD_REQUEST_WORDS = 4;

/** Time limit of a wait for work, which may be long (an evaluation, a checkpoint): the abort word ends it, not the clock. */
export const IDLE_TIMEOUT_MS = 2 ** 31;
