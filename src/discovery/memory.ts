import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError } from './service.js';
import { Watchers } from './watchers.js';

/**
 * Discovery among the roles of one process: for tests, and for programs that run a whole job by themselves. All roles share one object, so
 * {@link MemoryDiscovery.close} does nothing: what a role registered stays until the role takes it back, and other roles go on.
 */
export class MemoryDiscovery implements Discovery {
  readonly kind = 'memory';
  readonly #services = new Map<string, ServiceInfo>();
  readonly #watchers = new Watchers();

  async connect(): Promise<void> {}

  async register(service: ServiceInfo): Promise<void> {
    this.#services.set(service.id, { ...service, metadata: { ...service.metadata } });
    this.#tell();
  }

  async deregister(service: ServiceInfo): Promise<void> {
    this.#services.delete(service.id);
    this.#tell();
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    return this.#ofType(serviceType);
  }

  async heartbeat(serviceId: string): Promise<void> {
    if (!this.#services.has(serviceId)) {
      throw discoveryError('NotFound', `no service ${serviceId} is registered`, { backend: 'memory' });
    }
  }

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    const end = this.#watchers.add(serviceType, onChange);
    this.#watchers.tell(serviceType, this.#ofType(serviceType));
    return end;
  }

  async close(): Promise<void> {}

  #ofType(serviceType: string): ServiceInfo[] {
    return [...this.#services.values()].filter((service) => service.serviceType === serviceType);
  }

  #tell(): void {
    for (const type of this.#watchers.types()) this.#watchers.tell(type, this.#ofType(type));
  }
}
