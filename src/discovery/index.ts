export type { Discovery, DiscoveryKind, DiscoveryReason, EndWatch, ServiceHealth, ServiceInfo } from './discovery.js';
export { MemoryDiscovery, MemoryRegistry } from './memory.js';
export { addressesByIndex, discoveryError, indexOfService, joinAddress, parseIndex, serviceAt, splitAddress } from './service.js';
