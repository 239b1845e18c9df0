import { ShardOp } from '../../ps/index.js';

/** A request of the worker that may have to be sent again. */
export type LiveRequest = {
  readonly sequence: number;
  /** {@link ShardOp} lookup, lookupReadOnly or apply. */
  readonly op: number;
  readonly region: number;
  readonly step: number;
  /** Of a lookup: its rows are here. */
  answered: boolean;
};

/**
 * Requests of one worker to one shard from which a shard that lost its mirrors must be rebuilt: a lookup lives until the push of its rows is
 * acknowledged (a read-only one until its rows are here), a push until it is acknowledged. A few a region, so plain searches do.
 */
export class LiveRequests {
  /** Sequence of the next request. */
  next = 1;
  /** Last apply that was acknowledged, last lookup that was answered. */
  applied = 0;
  answered = 0;
  private readonly live: LiveRequest[] = [];

  add(op: number, region: number, step: number): LiveRequest {
    const request = { sequence: this.next++, op, region, step, answered: false };
    this.live.push(request);
    return request;
  }

  /** Oldest request that is still known; what comes next if there is none. */
  get first(): number {
    return this.live.length > 0 ? this.live[0].sequence : this.next;
  }

  get idle(): boolean {
    return this.live.length === 0;
  }

  find(sequence: number): LiveRequest | null {
    return this.live.find((request) => request.sequence === sequence) ?? null;
  }

  /** The oldest lookup without rows. */
  get awaited(): LiveRequest | null {
    return this.live.find(({ op, answered }) => op !== ShardOp.apply && !answered) ?? null;
  }

  /** The oldest push without acknowledgement. */
  get unacknowledged(): LiveRequest | null {
    return this.live.find(({ op }) => op === ShardOp.apply) ?? null;
  }

  /** The push that a lookup's rows came back with, if it has been made. */
  pushOf(lookup: LiveRequest): LiveRequest | null {
    return (
      this.live.find(({ op, region, sequence }) => op === ShardOp.apply && region === lookup.region && sequence > lookup.sequence) ?? null
    );
  }

  /** Rows of a lookup are here. */
  answer(lookup: LiveRequest): void {
    lookup.answered = true;
    this.answered = lookup.sequence;
    if (lookup.op === ShardOp.lookupReadOnly) this.drop(lookup);
  }

  /** A push is acknowledged: it and its lookup are over. */
  acknowledge(push: LiveRequest): void {
    this.applied = push.sequence;
    this.drop(push);
    const lookup = this.live.find(
      ({ op, region, sequence }) => op === ShardOp.lookup && region === push.region && sequence < push.sequence,
    );
    if (lookup !== undefined) this.drop(lookup);
  }

  private drop(request: LiveRequest): void {
    this.live.splice(this.live.indexOf(request), 1);
  }
}
