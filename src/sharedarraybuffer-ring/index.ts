export { AbortWord } from './abort-word.js';
export { Arena } from './arena.js';
export { Barrier, type BarrierOptions } from './barrier.js';
export { Counter } from './counter.js';
export { DescriptorQueue, type QueueOptions } from './descriptor-queue.js';
export { MpscRing } from './mpsc-ring.js';
export { Ring } from './ring.js';
export { availableCores, monotonicMs, SLICE_MS, spinBudget, type WaitAsync, type WaitOptions, waitUntil, waitUntilAsync } from './wait.js';
