type Send = (step: number, norms: Float64Array) => void;

/**
 * Where the block norms of all shards come together, for clipping by global norm: in the process of worker 0, whose bridges are the members.
 * Shards may say the norms of a step again; they are the same bits then. Norms of a finished step go out again to a shard that asks once more.
 */
export class NormMeeting {
  private readonly members: (Send | null)[];
  /** Of the step that is being gathered: [shard], null where the shard has not spoken. */
  private readonly here: (Float64Array | null)[];
  private gathering = -1;
  private done = -1;
  private norms = new Float64Array(0);

  constructor(private readonly numShards: number) {
    this.members = new Array<Send | null>(numShards).fill(null);
    this.here = new Array<Float64Array | null>(numShards).fill(null);
  }

  /** A shard's bridge takes part; `send` carries the norms of all blocks to its shard. */
  join(shard: number, send: Send): void {
    this.members[shard] = send;
  }

  /** Takes Σ g² of the blocks that a shard owns, in ascending order of block: block b is shard b mod numShards' ⌊b / numShards⌋-th. */
  give(shard: number, step: number, own: Float64Array): void {
    if (step === this.done) {
      this.members[shard]?.(step, this.norms);
      return;
    }
    if (step !== this.gathering) {
      this.gathering = step;
      this.here.fill(null);
    }
    this.here[shard] = own;
    let blocks = 0;
    for (const norms of this.here) {
      if (norms === null) return;
      blocks += norms.length;
    }
    this.norms = new Float64Array(blocks);
    for (let b = 0; b < blocks; b++) this.norms[b] = this.here[b % this.numShards]?.[Math.floor(b / this.numShards)] ?? Number.NaN;
    this.done = step;
    for (const send of this.members) send?.(step, this.norms);
  }
}
