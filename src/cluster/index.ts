export type { BadBatch } from './bad-batch.js';
export { LocalCluster } from './local-cluster.js';
export { RoundEngine } from './round-engine.js';
export { WorkerHost } from './worker-host.js';
