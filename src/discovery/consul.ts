import Consul from 'consul';
import { servicesOfHealthReply, servicesOfLookupReply } from './consul-replies.js';
import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError, indexOfService, splitAddress } from './service.js';
import { Watchers } from './watchers.js';

export type ConsulOptions = {
  /** Where the agent of this host answers HTTP: `host:port`. */
  readonly address: string;
  /** The name under which all services of the job stand (ByteDance calls it psm). */
  readonly psm: string;
  /** `health`: Consul's own interface. `lookup`: ByteDance's `/v1/lookup/name`. */
  readonly form?: 'health' | 'lookup';
  /** Milliseconds after its last sign of life when a service counts as dead. */
  readonly ttlMs?: number;
  readonly operationTimeoutMs?: number;
  /** ACL token of the agent. */
  readonly token?: string | null;
};

/** Longest time that a watch waits for news in one request. */
const WATCH_WAIT = '30s';
/** Longest pause after failures of a watch; while watching by lookups the pause between two. */
const WATCH_PAUSE_MS = 1_000;
/** Consul removes a service that was dead for this long; it takes no shorter time. */
const FORGET_AFTER = '1m';
/** Signs of life within one time to live. */
const BEATS = 3;

type Reply = { readonly body: unknown };
/** What every call takes beside its own options. */
type Common = { readonly timeout: number; readonly token?: string };
/** The parts of the client used here; its own types leave out the time limit and requests of other paths. */
type Client = {
  readonly agent: {
    self(options: Common): Promise<unknown>;
    readonly service: {
      register(options: Common & Readonly<Record<string, unknown>>): Promise<unknown>;
      deregister(options: Common & { readonly id: string }): Promise<unknown>;
    };
    readonly check: { pass(options: Common & { readonly id: string }): Promise<unknown> };
  };
  readonly health: { service(options: Common & { readonly service: string; readonly passing: boolean }): Promise<unknown> };
  watch(options: Readonly<Record<string, unknown>>): {
    on(event: 'change' | 'error', listener: (value: unknown) => void): void;
    end(): void;
  };
  _get(request: Readonly<Record<string, unknown>>): Promise<Reply>;
  destroy(): void;
};

/**
 * Discovery through Consul. All services of a job stand under one name; role and index are in their metadata and, for clients that know only
 * these, in tags `name:<role>` and `index:<n>`. Registered services have a check with a time to live, which is renewed by itself; an agent
 * that has forgotten them is told again.
 */
export class ConsulDiscovery implements Discovery {
  readonly kind = 'consul';
  readonly #options: Required<ConsulOptions>;
  readonly #client: Client;
  readonly #registered = new Map<string, ServiceInfo>();
  readonly #watchers = new Watchers();
  readonly #ends = new Set<() => void>();
  #beat: NodeJS.Timeout | null = null;
  #closed = false;

  /** @throws Discovery (ConfigError) for an address or a name that can't be used. */
  constructor(options: ConsulOptions) {
    this.#options = { form: 'health', ttlMs: 15_000, operationTimeoutMs: 5_000, token: null, ...options };
    const { address, psm } = this.#options;
    const at = splitAddress(address);
    if (at === null) throw this.#wrong(`address '${address}' is not host:port with a port from 1 to 65535`);
    if (!/^[^/\s]{1,256}$/.test(psm))
      throw this.#wrong(`the service name '${psm}' must be 1 to 256 characters without '/' and white space`);
    this.#client = new Consul({ host: at.host, port: at.port }) as unknown as Client;
  }

  async connect(): Promise<void> {
    this.#open();
    // A lookup service need not answer for its agent; the first operation says whether it is there.
    if (this.#options.form === 'health') await this.#call('ask the agent', () => this.#client.agent.self(this.#common()));
  }

  async register(service: ServiceInfo): Promise<void> {
    this.#open();
    // Set before it is announced: no later renewal may bring back what stood under this id before.
    this.#registered.set(service.id, service);
    try {
      await this.#announce(service);
    } catch (error) {
      if (this.#registered.get(service.id) === service) this.#registered.delete(service.id);
      throw error;
    }
    this.#beat ??= setInterval(() => this.#beatAll(), this.#options.ttlMs / BEATS).unref();
  }

  async deregister(service: ServiceInfo): Promise<void> {
    this.#open();
    this.#registered.delete(service.id);
    await this.#remove(service);
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    this.#open();
    const { psm, form, operationTimeoutMs } = this.#options;
    if (form === 'health') {
      const options = { service: psm, passing: true, ...this.#common() };
      return servicesOfHealthReply(await this.#call(`list ${psm}`, () => this.#client.health.service(options)), serviceType);
    }
    const request = {
      name: 'lookup',
      path: '/lookup/name',
      query: { name: psm, 'addr-family': 'dual-stack' },
      timeout: operationTimeoutMs,
    };
    const reply = await this.#call(`look up ${psm}`, () => this.#client._get(request));
    return servicesOfLookupReply(this.#parsed(reply.body), serviceType);
  }

  async heartbeat(serviceId: string): Promise<void> {
    this.#open();
    const service = this.#registered.get(serviceId);
    if (service === undefined) {
      throw discoveryError('NotFound', `no service ${serviceId} is registered by this process`, { backend: 'consul' });
    }
    await this.#renew(service);
  }

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    const services = await this.discover(serviceType);
    const remove = this.#watchers.add(serviceType, onChange);
    this.#watchers.tell(serviceType, services);
    const stop = this.#options.form === 'health' ? this.#watchByBlocking(serviceType) : this.#watchByLooking(serviceType);
    const end = (): void => {
      remove();
      stop();
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    return end;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#beat !== null) clearInterval(this.#beat);
    for (const end of [...this.#ends]) end();
    const services = [...this.#registered.values()];
    this.#registered.clear();
    // What can't be taken back now is forgotten by Consul once its time to live is over.
    await Promise.allSettled(services.map((service) => this.#remove(service)));
    this.#client.destroy();
  }

  #watchByBlocking(serviceType: string): EndWatch {
    const watch = this.#client.watch({
      method: this.#client.health.service.bind(this.#client.health),
      options: { service: this.#options.psm, passing: true, wait: WATCH_WAIT, ...this.#credentials() },
      backoffFactor: 50,
      backoffMax: WATCH_PAUSE_MS,
    });
    watch.on('change', (reply) => {
      try {
        this.#watchers.tell(serviceType, servicesOfHealthReply(reply, serviceType));
      } catch {
        // An entry that somebody else spoiled: the next change may have mended it; discover() names it.
      }
    });
    // The client waits and asks again by itself; it must have somebody to tell.
    watch.on('error', () => {});
    return () => watch.end();
  }

  #watchByLooking(serviceType: string): EndWatch {
    const timer = setInterval(() => {
      this.discover(serviceType).then(
        (services) => this.#watchers.tell(serviceType, services),
        () => {},
      );
    }, WATCH_PAUSE_MS).unref();
    return () => clearInterval(timer);
  }

  /** A failed beat is made up for by the next one. */
  #beatAll(): void {
    for (const service of this.#registered.values()) this.#renew(service).catch(() => {});
  }

  async #renew(service: ServiceInfo): Promise<void> {
    try {
      await this.#call(`renew ${service.id}`, () =>
        this.#client.agent.check.pass({ id: `service:${this.#idOf(service)}`, ...this.#common() }),
      );
    } catch (error) {
      // An agent that lost its data answers that it knows no such check.
      const known = this.#registered.get(service.id) === service;
      if (!known || (error as { details?: { reason?: string } }).details?.reason !== 'Internal') throw error;
      await this.#announce(service);
    }
  }

  async #announce(service: ServiceInfo): Promise<void> {
    const index = indexOfService(service);
    if (index === null) {
      throw this.#wrong(`${service.id}: metadata index must be a whole number from 0, got '${service.metadata.index ?? 'none'}'`);
    }
    const at = splitAddress(service.address);
    if (at === null) throw this.#wrong(`${service.id}: '${service.address}' is not host:port`);
    const { serviceType, metadata } = service;
    const options = {
      name: this.#options.psm,
      id: this.#idOf(service),
      address: at.host,
      port: at.port,
      tags: [`index:${index}`, `name:${serviceType}`, `ip:${at.host}`],
      meta: { ...metadata, type: serviceType, serviceId: service.id },
      check: { ttl: `${this.#options.ttlMs}ms`, status: 'passing', deregistercriticalserviceafter: FORGET_AFTER },
      ...this.#common(),
    };
    await this.#call(`register ${service.id}`, () => this.#client.agent.service.register(options));
  }

  async #remove(service: ServiceInfo): Promise<void> {
    try {
      const id = this.#idOf(service);
      await this.#call(`deregister ${service.id}`, () => this.#client.agent.service.deregister({ id, ...this.#common() }));
    } catch (error) {
      if ((error as { cause?: { statusCode?: number } }).cause?.statusCode !== 404) throw error;
    }
  }

  /** The client parses a reply only when it is called JSON. */
  #parsed(body: unknown): unknown {
    if (!Buffer.isBuffer(body)) return body;
    try {
      return JSON.parse(body.toString('utf8'));
    } catch (cause) {
      const message = `Consul at ${this.#options.address}: the answer is no JSON: ${(cause as Error).message}`;
      throw discoveryError('Internal', message, { backend: 'consul', cause });
    }
  }

  #idOf(service: ServiceInfo): string {
    return `${this.#options.psm}-${service.id}`;
  }

  #credentials(): { readonly token?: string } {
    return this.#options.token === null ? {} : { token: this.#options.token };
  }

  #common(): Common {
    return { timeout: this.#options.operationTimeoutMs, ...this.#credentials() };
  }

  async #call<T>(what: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (cause) {
      const { isTimeout, isResponse, message, response } = cause as {
        readonly isTimeout?: boolean;
        readonly isResponse?: boolean;
        readonly message: string;
        readonly response?: { readonly body?: unknown };
      };
      const reason = isTimeout === true ? 'Timeout' : isResponse === true ? 'Internal' : 'ConnectionFailed';
      const body =
        typeof response?.body === 'string' && response.body !== '' && !message.includes(response.body) ? `: ${response.body}` : '';
      throw discoveryError(reason, `Consul at ${this.#options.address}: ${what}: ${message}${body}`, { backend: 'consul', cause });
    }
  }

  #wrong(what: string): Error {
    return discoveryError('ConfigError', `Consul discovery: ${what}`, { backend: 'consul' });
  }

  #open(): void {
    if (this.#closed) throw discoveryError('Closed', 'this discovery is closed', { backend: 'consul' });
  }
}
