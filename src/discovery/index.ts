export type { Discovery, DiscoveryKind, DiscoveryReason, EndWatch, ServiceHealth, ServiceInfo } from './discovery.js';
export { HostFileDiscovery, type HostFileOptions, parseHostFile } from './host-files.js';
export { MemoryDiscovery } from './memory.js';
export { type Environment, MlpDiscovery } from './mlp.js';
export { addressesByIndex, discoveryError, indexOfService, joinAddress, parseIndex, serviceAt, splitAddress } from './service.js';
export { type AddressesByRole, parseStaticList, StaticDiscovery } from './static-list.js';
export { parseTfConfig, type TfConfig, TfConfigDiscovery } from './tf-config.js';
export { type ServiceChange, serviceChanges } from './watchers.js';
