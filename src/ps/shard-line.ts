import type { Counter, MpscRing } from '../sharedarraybuffer-ring/index.js';
import type { DenseBlock } from './dense-blocks.js';
import type { ExchangeRegion } from './exchange.js';

/**
 * One worker's end of the line to one shard, as the process holds it that the worker's thread runs in: what a bridge to a shard elsewhere
 * plays the shard's part on.
 */
export type ShardLine = {
  readonly worker: number;
  readonly shard: number;
  /** Requests of the worker to this shard; the bridge is their only consumer. */
  readonly requests: MpscRing;
  /** Raised by one for each lookup that is answered, in order. */
  readonly lookups: Counter;
  /** Raised by one for each push that is applied, in order. */
  readonly applies: Counter;
  readonly regions: readonly ExchangeRegion[];
  /** Flat dense parameters; the bridge writes the blocks that the shard owns. */
  readonly parameters: Float32Array;
  /** Every block of the dense parameters, those of other shards included. */
  readonly blocks: readonly DenseBlock[];
};
