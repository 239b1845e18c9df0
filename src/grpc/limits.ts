import { MonolithError, monotonicMs } from '../base/index.js';

/** What a server takes from its clients. */
export type RpcLimits = {
  /** Bytes of one message, received or sent; −1: no limit. */
  readonly messageBytes: number;
  /** Streams (calls) that one connection may have open; clients queue what is beyond. */
  readonly streamsPerConnection: number;
  /** Calls that run at one time over all connections; one more is refused with ResourceExhausted. */
  readonly concurrentCalls: number;
  /** Connections at one time; one more is closed at once. */
  readonly connections: number;
  /** Calls a second over all connections, in bursts of up to a second's worth; 0: no limit. */
  readonly callsPerSecond: number;
};

export const defaultRpcLimits: RpcLimits = {
  messageBytes: 64 << 20,
  streamsPerConnection: 1024,
  concurrentCalls: 8192,
  connections: 1024,
  callsPerSecond: 0,
};

/** Limits with defaults filled in. Throws InvalidConfig for a number that is none. */
export function resolveLimits(limits: Partial<RpcLimits> = {}): RpcLimits {
  const all = { ...defaultRpcLimits, ...limits };
  for (const [name, value] of Object.entries(all)) {
    const lowest = name === 'messageBytes' ? -1 : name === 'callsPerSecond' ? 0 : 1;
    if (!Number.isInteger(value) || value < lowest) {
      throw new MonolithError('InvalidConfig', `limit ${name}: expected a whole number ≥ ${lowest}, got ${value}`, { limit: name, value });
    }
  }
  return all;
}

/** Counts the calls of one server and says which one is too many. */
export class CallGate {
  #running = 0;
  #credit: number;
  #creditAt = monotonicMs();

  constructor(private readonly limits: RpcLimits) {
    this.#credit = limits.callsPerSecond;
  }

  get running(): number {
    return this.#running;
  }

  /** Takes one call in; null, or why not. */
  enter(): MonolithError | null {
    const { concurrentCalls, callsPerSecond } = this.limits;
    if (this.#running >= concurrentCalls) {
      return exhausted('concurrent calls', concurrentCalls, 'send fewer at a time');
    }
    if (callsPerSecond > 0) {
      const now = monotonicMs();
      this.#credit = Math.min(callsPerSecond, this.#credit + ((now - this.#creditAt) / 1000) * callsPerSecond);
      this.#creditAt = now;
      if (this.#credit < 1) return exhausted('calls a second', callsPerSecond, 'send them more slowly');
      this.#credit--;
    }
    this.#running++;
    return null;
  }

  leave(): void {
    this.#running--;
  }
}

function exhausted(what: string, limit: number, todo: string): MonolithError {
  return new MonolithError('ResourceExhausted', `this server takes ${limit} ${what}: ${todo}, or raise its limit`, { limit });
}
