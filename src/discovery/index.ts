export type { ConsulOptions } from './consul.js';
export { servicesOfHealthReply, servicesOfLookupReply } from './consul-replies.js';
export type { Discovery, DiscoveryKind, DiscoveryReason, EndWatch, ServiceHealth, ServiceInfo } from './discovery.js';
export {
  consulOfEnvironment,
  type DiscoveryType,
  discoveryTypes,
  generatePsmFromUuid,
  getDiscovery,
  monolithDiscovery,
  type RunnerDiscoverySettings,
} from './from-runner-config.js';
export { HostFileDiscovery, type HostFileOptions, parseHostFile } from './host-files.js';
export { MemoryDiscovery } from './memory.js';
export { type Environment, MlpDiscovery } from './mlp.js';
export { openConsul, openDiscovery, openZooKeeper } from './open.js';
export { BackendDiscovery, MonolithDiscoveryGuard, type RunnerDiscovery, type ZkConfig, ZooKeeperDescriptor } from './runner-discovery.js';
export { addressesByIndex, discoveryError, indexOfService, joinAddress, parseIndex, serviceAt, splitAddress } from './service.js';
export { type AddressesByRole, parseStaticList, StaticDiscovery } from './static-list.js';
export { parseTfConfig, type TfConfig, TfConfigDiscovery, tfConfigDiscovery } from './tf-config.js';
export { type ServiceChange, serviceChanges } from './watchers.js';
export type { ZooKeeperOptions } from './zookeeper.js';
