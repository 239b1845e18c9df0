import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Registration = {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly Check: { readonly TTL: string; readonly DeregisterCriticalServiceAfter: string };
};

/**
 * Consul's HTTP interface as its documentation describes it, as far as discovery uses it: registration with a TTL check, renewing, health with
 * blocking queries, and the lookup that ByteDance puts before it.
 */
export class ConsulServer {
  readonly services = new Map<string, Registration & { expiresMs: number }>();
  /** Method and path of every request. */
  readonly requests: string[] = [];
  readonly tokens = new Set<string | undefined>();
  /** Entries of other programs in the answers of health and lookup. */
  readonly others: { health: unknown[]; lookup: unknown[] } = { health: [], lookup: [] };
  /** Answers every request with this status while set. */
  failure: number | null = null;
  #index = 1;
  #waiting = new Set<() => void>();
  #timer = setInterval(() => this.#expire(), 20);
  readonly #server: Server;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => this.#answer(request, response, body));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The agent goes away, and with it what it knew. */
  async stop(): Promise<void> {
    this.services.clear();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#server.listening) await this.stop();
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? '', 'http://consul');
    const path = decodeURIComponent(url.pathname);
    this.requests.push(`${request.method} ${path}`);
    this.tokens.add(request.headers['x-consul-token'] as string | undefined);
    const send = (): void => {
      const { status, value } = this.#reply(request.method ?? '', path, url.searchParams, body);
      response.writeHead(status, { 'content-type': 'application/json', 'x-consul-index': String(this.#index) });
      response.end(value === undefined ? '' : JSON.stringify(value));
    };
    const isNews = Number(url.searchParams.get('index') ?? 0) < this.#index;
    if (isNews || this.failure !== null) {
      send();
      return;
    }
    this.#waiting.add(send);
    response.on('close', () => this.#waiting.delete(send));
  }

  #reply(method: string, path: string, query: URLSearchParams, body: string): { readonly status: number; readonly value?: unknown } {
    if (this.failure !== null) return { status: this.failure, value: 'No cluster leader' };
    if (path === '/v1/agent/self') return { status: 200, value: { Config: { NodeName: 'test' } } };
    if (method === 'PUT' && path === '/v1/agent/service/register') {
      const registration = JSON.parse(body) as Registration;
      this.services.set(registration.ID, { ...registration, expiresMs: performance.now() + Number.parseInt(registration.Check.TTL, 10) });
      this.#changed();
      return { status: 200 };
    }
    const id = /^\/v1\/agent\/(?:service\/deregister|check\/pass)\/(?:service:)?(.+)$/.exec(path)?.[1];
    if (id !== undefined) {
      const service = this.services.get(id);
      if (service === undefined) return { status: 404, value: `Unknown check or service ID "${id}"` };
      if (path.includes('/check/pass/')) {
        service.expiresMs = performance.now() + Number.parseInt(service.Check.TTL, 10);
      } else {
        this.services.delete(id);
        this.#changed();
      }
      return { status: 200 };
    }
    const named = (name: string | null): Registration[] => [...this.services.values()].filter((service) => service.Name === name);
    if (path.startsWith('/v1/health/service/')) {
      const found = named(path.slice('/v1/health/service/'.length));
      return { status: 200, value: [...this.others.health, ...found.map(healthEntry)] };
    }
    if (path === '/v1/lookup/name') return { status: 200, value: [...this.others.lookup, ...named(query.get('name')).map(lookupEntry)] };
    return { status: 404, value: `Invalid URL path: ${path}` };
  }

  #changed(): void {
    this.#index++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const send of waiting) send();
  }

  #expire(): void {
    for (const [id, { expiresMs }] of this.services) {
      if (expiresMs > performance.now()) continue;
      this.services.delete(id);
      this.#changed();
    }
  }
}

function healthEntry({ ID, Name, Address, Port, Tags, Meta }: Registration): unknown {
  return {
    Node: { ID: '40e4a748-2192-161a-0510-9bf59fe950b5', Node: 'test', Address: '127.0.0.1', Datacenter: 'dc1' },
    Service: { ID, Service: Name, Tags, Address, Meta, Port, Weights: { Passing: 10, Warning: 1 }, Namespace: 'default' },
    Checks: [{ Node: 'test', CheckID: `service:${ID}`, Status: 'passing', ServiceID: ID, ServiceName: Name }],
  };
}

function lookupEntry({ Address, Port, Tags }: Registration): unknown {
  const pairs = Tags.map((tag) => [tag.slice(0, tag.indexOf(':')), tag.slice(tag.indexOf(':') + 1)]);
  return { Port, Host: Address, Tags: Object.fromEntries(pairs) };
}
