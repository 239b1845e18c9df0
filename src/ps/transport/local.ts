import type { Counter, MpscRing } from '../../sharedarraybuffer-ring/index.js';
import { SHARD_REQUEST_WORDS, type ShardChannel, ShardOp } from '../shard-channel.js';

/**
 * Requests between two threads of one process: a descriptor in the shard's request ring, an answer as one more on a counter. Ids, rows and
 * gradients stay where they are, in the worker's exchange region.
 */
export class LocalShardChannel implements ShardChannel {
  private readonly descriptor = new Int32Array(SHARD_REQUEST_WORDS);

  /**
   * @param requests the shard's request ring, of all workers.
   * @param lookups  lookups of this worker that the shard has answered.
   * @param applies  pushes of this worker that the shard has applied.
   */
  constructor(
    private readonly worker: number,
    private readonly requests: MpscRing,
    private readonly lookups: Counter,
    private readonly applies: Counter,
    private readonly timeoutMs: number,
  ) {}

  requestLookup(region: number, create: boolean, step: number): void {
    this.send(create ? ShardOp.lookup : ShardOp.lookupReadOnly, region, step);
  }

  awaitLookups(count: number): void {
    this.lookups.waitFor(count, this.timeoutMs);
  }

  requestApply(region: number, step: number): void {
    this.send(ShardOp.apply, region, step);
  }

  awaitApplies(count: number): void {
    this.applies.waitFor(count, this.timeoutMs);
  }

  private send(op: number, region: number, step: number): void {
    this.descriptor[0] = op;
    this.descriptor[1] = this.worker;
    this.descriptor[2] = region;
    this.descriptor[3] = step;
    this.requests.push(this.descriptor, this.timeoutMs);
  }
}

/** The shard's side: takes requests, counts answers. */
export class LocalShardServer {
  readonly request = new Int32Array(SHARD_REQUEST_WORDS);

  /**
   * @param lookups one a worker; @param applies one a worker.
   */
  constructor(
    private readonly requests: MpscRing,
    private readonly lookups: readonly Counter[],
    private readonly applies: readonly Counter[],
  ) {}

  /** Next request into `request`; false when there is none for timeoutMs. */
  next(timeoutMs: number): boolean {
    return this.requests.pop(this.request, timeoutMs);
  }

  answerLookup(worker: number): void {
    this.lookups[worker].add(1);
  }

  answerApply(worker: number): void {
    this.applies[worker].add(1);
  }
}
