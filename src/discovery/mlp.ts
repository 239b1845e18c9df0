import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError, joinAddress, parseIndex, serviceAt, splitAddress } from './service.js';
import { Watchers } from './watchers.js';

/** Environment variables by name, as in process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Most processes of one role that MLP_<ROLE>_NUM may name; beyond it the variable is a mistake. */
const MAX_REPLICAS = 100_000;

/** Hosts that always mean this machine. */
const LOCAL_HOSTS = ['local', 'localhost', '127.0.0.1', '0.0.0.0'];

function wrong(what: string): Error {
  return discoveryError('ConfigError', `MLP discovery: ${what}`, { backend: 'mlp' });
}

/** What the platform's environment says: how many processes a role has, and where each of them is. Variables are read when asked for. */
export class MlpEnvironment {
  readonly #variables: Environment;

  constructor(variables: Environment) {
    this.#variables = variables;
  }

  /** Lower-case role of this process (MLP_ROLE); null when not set. */
  get role(): string | null {
    const role = this.#text('MLP_ROLE');
    return role === null ? null : role.toLowerCase();
  }

  /** MLP_ROLE_INDEX; 0 when not set. @throws Discovery when it is no whole number. */
  get index(): number {
    const text = this.#text('MLP_ROLE_INDEX');
    if (text === null) return 0;
    const index = parseIndex(text);
    if (index === null) throw wrong(`MLP_ROLE_INDEX must be a whole number from 0, got '${text}'`);
    return index;
  }

  /** MLP_HOST; null when not set. */
  get host(): string | null {
    return this.#text('MLP_HOST');
  }

  /** Lower-case names of roles with a count, in order of name. */
  roles(): string[] {
    const names = Object.keys(this.#variables).flatMap((name) => /^MLP_(.+)_NUM$/.exec(name)?.[1]?.toLowerCase() ?? []);
    return [...new Set(names)].filter((name) => this.count(name) !== null).sort();
  }

  /** MLP_<ROLE>_NUM; null when not set. @throws Discovery when it is no whole number. */
  count(role: string): number | null {
    const name = `MLP_${role.trim().toUpperCase()}_NUM`;
    const text = this.#text(name);
    if (text === null) return null;
    const count = parseIndex(text);
    if (count === null || count > MAX_REPLICAS) throw wrong(`${name} must be a whole number from 0 to ${MAX_REPLICAS}, got '${text}'`);
    return count;
  }

  /** MLP_<ROLE>_<i>_PRIMARY_HOST and MLP_<ROLE>_<i>_HOST, those that are set, in this order. */
  hosts(role: string, index: number): string[] {
    const stem = `MLP_${role.trim().toUpperCase()}_${index}`;
    return [this.#text(`${stem}_PRIMARY_HOST`), this.#text(`${stem}_HOST`)].filter((host) => host !== null);
  }

  /** MLP_<ROLE>_<i>_PORT; null when not set. @throws Discovery when it is no port. */
  port(role: string, index: number): number | null {
    const name = `MLP_${role.trim().toUpperCase()}_${index}_PORT`;
    const text = this.#text(name);
    if (text === null) return null;
    const port = parseIndex(text);
    if (port === null || port < 1 || port > 65535) throw wrong(`${name} must be a port from 1 to 65535, got '${text}'`);
    return port;
  }

  /** Where a process is; null when its host or its port is not set. */
  address(role: string, index: number): string | null {
    const [host] = this.hosts(role, index);
    const port = this.port(role, index);
    return host === undefined || port === null ? null : joinAddress(host, port);
  }

  #text(name: string): string | null {
    const value = Object.hasOwn(this.#variables, name) ? this.#variables[name]?.trim() : undefined;
    return value === undefined || value === '' ? null : value;
  }
}

/**
 * Discovery by the environment that ByteDance's machine-learning platform sets. Every process knows all addresses from the start; taking a
 * service back hides it from queries of this process, registering shows it again. After close nothing is found and nothing fails.
 */
export class MlpDiscovery implements Discovery {
  readonly kind = 'mlp';
  readonly #environment: MlpEnvironment;
  readonly #hidden = new Set<string>();
  readonly #watchers = new Watchers();
  #closed = false;

  /** @param variables where the MLP_… variables are; process.env when left out. */
  constructor(variables: Environment = process.env) {
    this.#environment = new MlpEnvironment(variables);
  }

  /** Role of this process; null when not set, and after close. */
  get serverType(): string | null {
    return this.#closed ? null : this.#environment.role;
  }

  /** Index of this process in its role. @throws Discovery when MLP_ROLE_INDEX is no whole number. */
  get index(): number {
    return this.#environment.index;
  }

  /** Address of this process; null when the environment does not say, and after close. */
  get address(): string | null {
    const role = this.serverType;
    return role === null ? null : this.#environment.address(role, this.index);
  }

  async connect(): Promise<void> {}

  /** @throws Discovery when role, index, host or port are not those of the environment. */
  async register(service: ServiceInfo): Promise<void> {
    if (this.#closed) return;
    this.#hidden.delete(this.#place(service));
    await this.#tell();
  }

  /** @throws Discovery when role, index, host or port are not those of the environment. */
  async deregister(service: ServiceInfo): Promise<void> {
    if (this.#closed) return;
    this.#hidden.add(this.#place(service));
    await this.#tell();
  }

  /** @throws Discovery for an empty name, and for a variable that is no number. */
  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    if (this.#closed) return [];
    const role = serviceType.trim().toLowerCase();
    if (role === '') throw wrong('the name of a role must not be empty');
    const services: ServiceInfo[] = [];
    for (let index = 0; index < (this.#environment.count(role) ?? 0); index++) {
      const address = this.#environment.address(role, index);
      if (address === null || this.#hidden.has(`${role}:${index}`)) continue;
      services.push({ ...serviceAt(serviceType, index, address), health: 'unknown' });
    }
    return services;
  }

  async heartbeat(): Promise<void> {}

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    const services = await this.discover(serviceType);
    const end = this.#watchers.add(serviceType, onChange);
    this.#watchers.tell(serviceType, services);
    return end;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hidden.clear();
    this.#watchers.clear();
  }

  async #tell(): Promise<void> {
    for (const type of this.#watchers.types()) this.#watchers.tell(type, await this.discover(type));
  }

  /** `role:index` of a service that agrees with the environment. */
  #place({ serviceType, metadata, address }: ServiceInfo): string {
    const environment = this.#environment;
    const role = serviceType.trim().toLowerCase();
    const count = environment.count(role);
    if (count === null) throw wrong(`unknown role '${serviceType}'; MLP_<ROLE>_NUM is set for ${environment.roles().join(', ') || 'none'}`);
    const index = parseIndex(Object.hasOwn(metadata, 'index') ? (metadata.index ?? '') : '');
    if (index === null || index >= count) {
      throw wrong(`index ${metadata.index ?? 'none'} out of bounds for role '${role}': MLP_${role.toUpperCase()}_NUM is ${count}`);
    }
    const own = splitAddress(address);
    if (own === null) throw wrong(`${role} ${index}: '${address}' is not host:port with a port from 1 to 65535`);
    const hosts = [...environment.hosts(role, index), ...this.#ownHosts(), ...LOCAL_HOSTS];
    if (!hosts.includes(own.host)) {
      throw wrong(`host mismatch for ${role} ${index}: got '${own.host}', expected one of ${hosts.join(', ')}`);
    }
    const port = environment.port(role, index);
    if (port === null) throw wrong(`MLP_${role.toUpperCase()}_${index}_PORT is not set`);
    if (port !== own.port) throw wrong(`port mismatch for ${role} ${index}: expected ${port}, got ${own.port}`);
    return `${role}:${index}`;
  }

  #ownHosts(): string[] {
    const { role, host } = this.#environment;
    const hosts = role === null ? [] : this.#environment.hosts(role, this.index);
    return host === null ? hosts : [...hosts, host];
  }
}
