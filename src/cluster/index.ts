export type { BadBatch } from './bad-batch.js';
export { CheckpointThread } from './checkpoint-thread.js';
export type { ClusterConfig, LocalClusterOptions } from './cluster-config.js';
export { type ClusterDiagnostics, LocalCluster } from './local-cluster.js';
export type { NamedGradients } from './named-values.js';
export type { ParameterServerRole, WorkerRole } from './roles.js';
export { RoundEngine } from './round-engine.js';
export type { BarrierStatus } from './step-barrier.js';
export { WorkerHost } from './worker-host.js';
