// The worker of heap.bench: the real loop twice, warm-up and measured; then it says what the heap grew by.
import { PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { type ClusterBuffers, ClusterMemory } from '../../src/cluster/topology.js';
import { createWorkerContext, workerLines } from '../../src/cluster/worker-context.js';
import { selectBackend } from '../../src/kernels/index.js';
import { planDenseBlocks } from '../../src/ps/index.js';
import { type RunSpec, runWorkerLoop } from '../../src/training/index.js';

const { spec, buffers } = workerData as { spec: RunSpec; buffers: ClusterBuffers };
const memory = new ClusterMemory(spec, buffers, planDenseBlocks(spec.tensors).blocks.length);
const context = await createWorkerContext(spec, memory, 0, selectBackend('auto').backend);
const lines = workerLines(memory, 0);
runWorkerLoop(context, lines, spec.prefetch);

setFlagsFromString('--expose-gc');
(runInNewContext('gc') as () => void)();
let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ['gc'] });
const before = process.memoryUsage().heapUsed;
runWorkerLoop(context, lines, spec.prefetch);
const bytes = process.memoryUsage().heapUsed - before;
await new Promise((resolve) => setImmediate(resolve));
observer.disconnect();
parentPort?.postMessage({ bytes, collections });
