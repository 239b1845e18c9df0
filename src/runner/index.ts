export { ChiefLink, type ChiefLinkOptions } from './chief-link.js';
export type { DataIdentity, StartDistributed } from './chief-role.js';
export {
  type DistributedRole,
  type DistributedRunConfig,
  type DistributedRunnerSettings,
  defaultDistributedRunConfig,
  distributedConfigFromRunner,
} from './distributed-config.js';
export { DistributedEngine, type DistributedParts, type ShardControl } from './distributed-engine.js';
export { exercisePs, exerciseWorker } from './exercise.js';
export { Follower, type FollowerParts } from './follower.js';
export { Followers, type FollowersOptions } from './followers.js';
export { type Place, placeOf } from './place.js';
export { checkDistributedConfig } from './preflight.js';
export { orderPsAddresses, type PsOrderIssue } from './ps-order.js';
export { type RoleBody, type RoleContext, type RunDistributedOptions, runDistributed } from './run-distributed.js';
export { type DistributedEntry, runDistributedFromRunConfig, runDistributedFromRunnerConfig } from './run-from-config.js';
export { type RunRoleOptions, runRole } from './run-role.js';
export { configDifference, sharedConfig } from './shared-config.js';
export { canonicalSyncTarget } from './sync-targets.js';
