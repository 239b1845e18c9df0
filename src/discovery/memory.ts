import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError } from './service.js';

/** Where in-memory discoveries of one process meet: a job's services by id. */
export class MemoryRegistry {
  readonly #services = new Map<string, ServiceInfo>();
  readonly #listeners = new Set<() => void>();

  set(service: ServiceInfo): void {
    this.#services.set(service.id, service);
    this.#tell();
  }

  remove(serviceId: string): void {
    if (this.#services.delete(serviceId)) this.#tell();
  }

  ofType(serviceType: string): ServiceInfo[] {
    return [...this.#services.values()].filter((service) => service.serviceType === serviceType);
  }

  has(serviceId: string): boolean {
    return this.#services.has(serviceId);
  }

  /** Calls back after every change until the returned function is called. */
  onChange(listener: () => void): EndWatch {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/**
 * Discovery among the roles of one process: for tests, and for programs that run a whole job by themselves. Give every role an object of its
 * own over one {@link MemoryRegistry}, or one object to all; closing an object takes back what was registered through it.
 */
export class MemoryDiscovery implements Discovery {
  readonly kind = 'memory';
  readonly #registry: MemoryRegistry;
  readonly #mine = new Set<string>();
  readonly #watches = new Set<EndWatch>();
  #closed = false;

  constructor(registry: MemoryRegistry = new MemoryRegistry()) {
    this.#registry = registry;
  }

  async connect(): Promise<void> {}

  async register(service: ServiceInfo): Promise<void> {
    this.#open();
    this.#mine.add(service.id);
    this.#registry.set({ ...service, metadata: { ...service.metadata } });
  }

  async deregister(service: ServiceInfo): Promise<void> {
    this.#open();
    this.#mine.delete(service.id);
    this.#registry.remove(service.id);
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    this.#open();
    return this.#registry.ofType(serviceType);
  }

  async heartbeat(serviceId: string): Promise<void> {
    this.#open();
    if (!this.#registry.has(serviceId)) throw discoveryError('NotFound', `no service ${serviceId} is registered`, { backend: 'memory' });
  }

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    this.#open();
    let last = '';
    const tell = (): void => {
      const services = this.#registry.ofType(serviceType);
      const text = JSON.stringify(services);
      if (text === last) return;
      last = text;
      onChange(services);
    };
    const stop = this.#registry.onChange(tell);
    const end = (): void => {
      stop();
      this.#watches.delete(end);
    };
    this.#watches.add(end);
    tell();
    return end;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of [...this.#watches]) end();
    for (const id of this.#mine) this.#registry.remove(id);
  }

  #open(): void {
    if (this.#closed) throw discoveryError('Closed', 'this discovery is closed', { backend: 'memory' });
  }
}
