// Descriptors in a worker's command ring, in the order in which the coordinator wants them carried out.
//   word 0  operation
//   word 1  slot number                         (train, evaluate)
//   word 2  step                                (train); sync point number (sync)
//   word 3  unused

/** What a worker may be told. */
export const WorkerOp = { train: 1, evaluate: 2, sync: 3, stop: 4 } as const;
export const WORKER_COMMAND_WORDS = 4;

/** Figures of one worker in shared memory (Float64): written by the worker, read by the coordinator. */
export const WorkerStat = {
  waitBatchMs: 0,
  lookupMs: 1,
  computeMs: 2,
  pushMs: 3,
  steps: 4,
  examples: 5,
  firstStepAtMs: 6,
  lastStepAtMs: 7,
  dedupeMs: 8,
} as const;
export const WORKER_STATS = 16;

/** Steps of which a worker's loss is kept for the coordinator; more than the slots of a worker, so that none is overwritten unread. */
export const LOSS_HISTORY = 256;
