import type { ChannelSecurity } from '../../grpc/index.js';
import { invalidConfig } from '../errors.js';

export type PsClientOptions = {
  readonly security?: ChannelSecurity;
  /** Milliseconds that a lookup, apply, health or statistics call may take, repetitions included. Default 30000. */
  readonly timeoutMs?: number;
  /** Milliseconds of one attempt, after which its answer counts as lost. Default 5000. */
  readonly attemptTimeoutMs?: number;
  /** Milliseconds that a shard may be unreachable before calls fail. Default 5000. */
  readonly reconnectMs?: number;
  /** Milliseconds for {@link PsClient.connect}. Default 10000. */
  readonly connectTimeoutMs?: number;
  /** Larger requests and answers are sent in parts of at most this many bytes. Default 3 MiB, below gRPC's default limit of 4 MiB. */
  readonly messageBytes?: number;
};

export type ResolvedPsClientOptions = Required<Omit<PsClientOptions, 'security'>>;

const defaults: ResolvedPsClientOptions = {
  timeoutMs: 30_000,
  attemptTimeoutMs: 5000,
  reconnectMs: 5000,
  connectTimeoutMs: 10_000,
  messageBytes: 3 << 20,
};

/** Options with defaults filled in. Throws InvalidConfig for a number that is none. */
export function resolveClientOptions({ security: _, ...options }: PsClientOptions): ResolvedPsClientOptions {
  const all = { ...defaults, ...options };
  for (const [name, value] of Object.entries(all)) {
    const lowest = name === 'messageBytes' ? 1024 : name === 'reconnectMs' ? 0 : 1;
    if (!Number.isInteger(value) || value < lowest) {
      throw invalidConfig(`PsClient ${name}: expected a whole number ≥ ${lowest}, got ${String(value)}`, { option: name });
    }
  }
  return all;
}
