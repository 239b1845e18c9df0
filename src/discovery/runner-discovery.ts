import { MonolithError } from '../base/index.js';
import type { Discovery, DiscoveryKind } from './discovery.js';
import { addressesByIndex, discoveryError, serviceAt } from './service.js';

/** Which ZooKeeper and which job a run means. */
export type ZkConfig = { readonly deepInsightName: string; readonly zkServer: string };

/** The operations that a runner's configuration gives access to, the same for every backend. Failures have code `Discovery`. */
export interface RunnerDiscovery {
  readonly kind: DiscoveryKind;
  register(name: string, index: number, address: string): Promise<void>;
  deregister(name: string, index: number, address: string): Promise<void>;
  /** Addresses of a role by index, in ascending order of index. */
  query(name: string): Promise<Map<number, string>>;
  /** Server and job where the kind is `zk`, else null. */
  zkConfig(): ZkConfig | null;
  close(): Promise<void>;
}

/** Any failure of a backend as `Discovery` with the backend's words. */
async function asDiscovery<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof MonolithError) throw cause;
    throw discoveryError('Internal', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A {@link Discovery} by name, index and address. Connects with the first operation. */
export class BackendDiscovery implements RunnerDiscovery {
  readonly #backend: Discovery;

  constructor(backend: Discovery) {
    this.#backend = backend;
  }

  get kind(): DiscoveryKind {
    return this.#backend.kind;
  }

  register(name: string, index: number, address: string): Promise<void> {
    return asDiscovery(() => this.#backend.register(serviceAt(name, index, address)));
  }

  deregister(name: string, index: number, address: string): Promise<void> {
    return asDiscovery(() => this.#backend.deregister(serviceAt(name, index, address)));
  }

  query(name: string): Promise<Map<number, string>> {
    return asDiscovery(async () => addressesByIndex(await this.#backend.discover(name)));
  }

  zkConfig(): null {
    return null;
  }

  close(): Promise<void> {
    return asDiscovery(() => this.#backend.close());
  }
}

/** Says which ZooKeeper a run means and does nothing itself: {@link openZooKeeper} makes the connection. */
export class ZooKeeperDescriptor implements RunnerDiscovery {
  readonly kind = 'zk';
  readonly #config: ZkConfig;

  constructor(config: ZkConfig) {
    this.#config = config;
  }

  register(): Promise<void> {
    return this.#refuse('register');
  }

  deregister(): Promise<void> {
    return this.#refuse('deregister');
  }

  query(): Promise<Map<number, string>> {
    return this.#refuse('query');
  }

  zkConfig(): ZkConfig {
    return this.#config;
  }

  async close(): Promise<void> {}

  async #refuse(operation: string): Promise<never> {
    const message = `${operation}: this only describes the ZooKeeper at ${this.#config.zkServer}; use the concrete ZK discovery, openZooKeeper(zkConfig)`;
    throw discoveryError('ConfigError', message, { backend: 'zk' });
  }
}

/**
 * Holds the discovery of a run and closes it once: by {@link MonolithDiscoveryGuard.close}, or at the end of the scope with `await using`.
 * Without a backend (a local run, or after close) every operation is refused with `LocalModeNoDiscovery` and the kind is null.
 */
export class MonolithDiscoveryGuard implements AsyncDisposable {
  #backend: RunnerDiscovery | null;
  #closing: Promise<void> = Promise.resolve();

  constructor(backend: RunnerDiscovery | null) {
    this.#backend = backend;
  }

  get kind(): DiscoveryKind | null {
    return this.#backend?.kind ?? null;
  }

  /** @throws LocalModeNoDiscovery, Discovery */
  async register(name: string, index: number, address: string): Promise<void> {
    const backend = this.#present();
    await asDiscovery(() => backend.register(name, index, address));
  }

  /** @throws LocalModeNoDiscovery, Discovery */
  async deregister(name: string, index: number, address: string): Promise<void> {
    const backend = this.#present();
    await asDiscovery(() => backend.deregister(name, index, address));
  }

  /** Addresses of a role by index, in ascending order. @throws LocalModeNoDiscovery, Discovery */
  async query(name: string): Promise<Map<number, string>> {
    const backend = this.#present();
    return asDiscovery(() => backend.query(name));
  }

  /** Server and job where the kind is `zk`, else null. */
  zkConfig(): ZkConfig | null {
    return this.#backend?.zkConfig() ?? null;
  }

  /** Closes the backend and lets go of it. Later calls wait for the first one and succeed. @throws Discovery when the backend fails to close */
  close(): Promise<void> {
    const backend = this.#backend;
    if (backend === null) return this.#closing;
    this.#backend = null;
    const closed = asDiscovery(() => backend.close());
    this.#closing = closed.catch(() => {});
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #present(): RunnerDiscovery {
    if (this.#backend === null) throw new MonolithError('LocalModeNoDiscovery', 'No discovery backend available in local mode');
    return this.#backend;
  }
}
