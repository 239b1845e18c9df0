export { type AddedFunction, type AsyncFunctionHook, AsyncFunctionManager } from './async-functions.js';
export { MultiDeviceQueue, type QueueDevice } from './multi-device-queue.js';
export { fillTemplate, flattenNested, type Nested, type NestedTemplate, Placeholder, type TensorLeaf } from './nested.js';
export { enqueueDictsWithQueueReturn, NestedQueue } from './nested-queue.js';
export { PrefetchQueue } from './prefetch-queue.js';
