export {
  type DistributedRole,
  type DistributedRunConfig,
  type DistributedRunnerSettings,
  defaultDistributedRunConfig,
  distributedConfigFromRunner,
} from './distributed-config.js';
export { checkDistributedConfig } from './preflight.js';
export { orderPsAddresses, type PsOrderIssue } from './ps-order.js';
export { type RoleBody, type RoleContext, type RunDistributedOptions, runDistributed } from './run-distributed.js';
export { canonicalSyncTarget } from './sync-targets.js';
