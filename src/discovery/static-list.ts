import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError, indexOfService, serviceAt, splitAddress } from './service.js';

/** Addresses of each role by place. A Map, since role names are the user's. */
export type AddressesByRole = ReadonlyMap<string, readonly string[]>;

const FORM =
  "expected roles separated by ';', each 'role=host:port,host:port', such as ps=10.0.0.1:2222,10.0.0.2:2222;worker=10.0.0.3:2223";

/**
 * A list of addresses as text: `ps=host:port,host:port;worker=host:port`. White space round names and addresses does not matter; an empty
 * part after the last `;` neither. A role's n-th address is that of its index n.
 * @throws Discovery (reason ConfigError) for anything else.
 */
export function parseStaticList(text: string): Map<string, string[]> {
  const roles = new Map<string, string[]>();
  const wrong = (what: string): Error => discoveryError('ConfigError', `static discovery: ${what}; ${FORM}`, { backend: 'static' });
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const at = part.indexOf('=');
    const role = part.slice(0, at).trim();
    if (at < 0 || role === '' || /\s/.test(role)) throw wrong(`'${part.trim()}' does not name a role`);
    if (roles.has(role)) throw wrong(`role ${role} stands twice`);
    const addresses = part
      .slice(at + 1)
      .split(',')
      .map((address) => address.trim());
    addresses.forEach((address, index) => {
      if (splitAddress(address) === null) throw wrong(`${role} ${index} is '${address}', not host:port with a port from 1 to 65535`);
      if (addresses.indexOf(address) !== index) throw wrong(`${role} lists ${address} twice`);
    });
    roles.set(role, addresses);
  }
  if (roles.size === 0) throw wrong('the list is empty');
  return roles;
}

/** Services of a role from its addresses, in order. */
export function servicesOf(serviceType: string, addresses: readonly string[]): ServiceInfo[] {
  return addresses.map((address, index) => ({ ...serviceAt(serviceType, index, address), health: 'unknown' as const }));
}

/** Discovery by a list that every process was given. Registering only checks that the list agrees; nobody is told anything. */
export class StaticDiscovery implements Discovery {
  readonly kind = 'static';
  readonly #roles: AddressesByRole;

  constructor(roles: AddressesByRole) {
    this.#roles = roles;
  }

  async connect(): Promise<void> {}

  /** @throws Discovery when the list has another port at this place: others would look for the service in vain. */
  async register(service: ServiceInfo): Promise<void> {
    const { serviceType, address } = service;
    const wrong = (what: string): Error => discoveryError('ConfigError', `static discovery: ${what}`, { backend: 'static' });
    const addresses = this.#roles.get(serviceType);
    if (addresses === undefined) throw wrong(`role ${serviceType} is not in the list (${[...this.#roles.keys()].join(', ')})`);
    const index = indexOfService(service);
    if (index === null || index >= addresses.length) {
      throw wrong(
        `${service.id}: the list has ${addresses.length} addresses of ${serviceType}, index ${service.metadata.index ?? 'none'} is not one`,
      );
    }
    const listed = splitAddress(addresses[index]);
    const own = splitAddress(address);
    if (own === null) throw wrong(`${service.id}: '${address}' is not host:port with a port from 1 to 65535`);
    if (listed?.port !== own.port) {
      throw wrong(
        `${service.id} is reachable at ${address}, but the list says ${addresses[index]}; bind or advertise the port of the list`,
      );
    }
  }

  async deregister(): Promise<void> {}

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    return servicesOf(serviceType, this.#roles.get(serviceType) ?? []);
  }

  async heartbeat(): Promise<void> {}

  /** The list never changes: calls back once. */
  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    onChange(await this.discover(serviceType));
    return () => {};
  }

  async close(): Promise<void> {}
}
