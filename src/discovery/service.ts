import { MonolithError } from '../base/index.js';
import type { DiscoveryReason, ServiceInfo } from './discovery.js';

/** A failure of discovery, with the backend's own words in the message. */
export function discoveryError(
  reason: DiscoveryReason,
  message: string,
  more: { readonly backend?: string; readonly cause?: unknown } = {},
): MonolithError {
  const details = more.backend === undefined ? { reason } : { reason, backend: more.backend };
  return new MonolithError('Discovery', message, details, more.cause === undefined ? {} : { cause: more.cause });
}

/** A service of a role at a place of the role: id `<serviceType>-<index>` and metadata `index`. */
export function serviceAt(
  serviceType: string,
  index: number,
  address: string,
  metadata: Readonly<Record<string, string>> = {},
): ServiceInfo {
  return { id: `${serviceType}-${index}`, serviceType, address, metadata: { ...metadata, index: String(index) }, health: 'healthy' };
}

/** The place that a service names in its metadata; null when it names none or no whole number from 0. */
export function indexOfService(service: ServiceInfo): number | null {
  const text = Object.hasOwn(service.metadata, 'index') ? service.metadata.index : undefined;
  return text === undefined ? null : parseIndex(text);
}

/** A whole number from 0 to 2³¹ − 1 in decimal digits; null for anything else. */
export function parseIndex(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const index = Number(text);
  return index < 2 ** 31 ? index : null;
}

/**
 * Addresses by index, in ascending order of index.
 * @throws Discovery for a service without a valid index, and for two addresses under one index.
 */
export function addressesByIndex(services: readonly ServiceInfo[]): Map<number, string> {
  const entries: [number, string][] = services.map((service) => {
    const index = indexOfService(service);
    if (index === null) {
      const found = Object.hasOwn(service.metadata, 'index') ? `'${service.metadata.index}'` : 'none';
      throw discoveryError(
        'Internal',
        `${service.serviceType} service ${service.id} at ${service.address}: metadata index must be a whole number from 0, got ${found}`,
      );
    }
    return [index, service.address];
  });
  const result = new Map<number, string>();
  for (const [index, address] of entries.sort((a, b) => a[0] - b[0])) {
    const other = result.get(index);
    if (other !== undefined && other !== address) {
      throw discoveryError('Internal', `two services of the same type have index ${index}: ${other} and ${address}; end one of them`);
    }
    result.set(index, address);
  }
  return result;
}

/** Host and port of `host:port` or `[IPv6]:port`; null when it is neither or the port is not from 1 to 65535. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(address);
  if (match === null) return null;
  const port = Number(match[3]);
  return port >= 1 && port <= 65535 ? { host: (match[1] ?? match[2]) as string, port } : null;
}

/** `host:port`, with brackets round an IPv6 host. */
export function joinAddress(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
