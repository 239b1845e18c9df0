import type { Discovery, EndWatch, ServiceInfo } from '../../src/index.js';

/** What a test lets one operation do: the given action in place of the usual one. */
export type DiscoveryScript = {
  readonly [K in 'connect' | 'register' | 'deregister' | 'heartbeat' | 'close']?: () => Promise<void>;
} & {
  /** Answers of `discover`, one a call; the last one stays. An Error is thrown. Without it: what is registered. */
  readonly answers?: readonly (readonly ServiceInfo[] | Error)[];
  readonly discover?: () => Promise<readonly ServiceInfo[]>;
};

export type DiscoveryOperation = 'connect' | 'register' | 'deregister' | 'discover' | 'heartbeat' | 'close';

/** A discovery in memory that counts its calls and fails, hangs or answers as told. */
export class ScriptedDiscovery implements Discovery {
  readonly kind = 'memory';
  readonly services = new Map<string, ServiceInfo>();
  /** Every call, in order. */
  readonly calls: DiscoveryOperation[] = [];

  constructor(private readonly script: DiscoveryScript = {}) {}

  count(operation: DiscoveryOperation): number {
    return this.calls.filter((call) => call === operation).length;
  }

  async connect(): Promise<void> {
    this.calls.push('connect');
    await this.script.connect?.();
  }

  async register(service: ServiceInfo): Promise<void> {
    this.calls.push('register');
    await this.script.register?.();
    this.services.set(service.id, service);
  }

  async deregister(service: ServiceInfo): Promise<void> {
    this.calls.push('deregister');
    await this.script.deregister?.();
    this.services.delete(service.id);
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    const call = this.count('discover');
    this.calls.push('discover');
    const { answers, discover } = this.script;
    if (discover !== undefined) return discover();
    if (answers === undefined) return [...this.services.values()].filter((service) => service.serviceType === serviceType);
    const answer = answers[Math.min(call, answers.length - 1)];
    if (answer instanceof Error) throw answer;
    return answer;
  }

  async heartbeat(_serviceId: string): Promise<void> {
    this.calls.push('heartbeat');
    await this.script.heartbeat?.();
  }

  async watch(): Promise<EndWatch> {
    return () => {};
  }

  async close(): Promise<void> {
    this.calls.push('close');
    await this.script.close?.();
  }
}

/** An operation that never ends. */
export const hangs = (): Promise<never> => new Promise(() => {});

/** An operation that fails. */
export function fails(message: string): () => Promise<never> {
  return async () => {
    throw new Error(message);
  };
}

/** A parameter server as a backend answers it. @param index metadata `index`; undefined: none. */
export function psService(address: string, index?: string): ServiceInfo {
  return {
    id: `ps-${index ?? address}`,
    serviceType: 'ps',
    address,
    metadata: index === undefined ? {} : { index },
    health: 'healthy',
  };
}
