import type { BatchPipeline } from './pipeline.js';
import type { DataPosition } from './position.js';

/** Batches for training, from files or from a stream. */
export type TrainData = Pick<
  BatchPipeline,
  'layout' | 'files' | 'identity' | 'inputs' | 'nextStep' | 'position' | 'seek' | 'rewind' | 'settle' | 'stats' | 'close'
> & {
  /** Set where the data are a stream. */
  readonly stream?: StreamFacts;
};

/** What a stream tells and is told beside batches. */
export type StreamFacts = {
  /** [workers × batchSize] times of the events of the last step's examples, in its order, in milliseconds; NaN where an example has none. */
  readonly eventTimes: Float64Array;
  /** A checkpoint with this position is durable. Never throws. */
  durable(position: DataPosition): Promise<void>;
};
