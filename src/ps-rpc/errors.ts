import { type ErrorCode, type ErrorDetails, MonolithError } from '../base/index.js';

/** What a PsClient throws. `code` is InvalidConfig, InvalidArgument, DimensionMismatch, Timeout, Cancelled or RpcError. */
export class PsError extends MonolithError {}

/** What a PsBarrier throws. */
export class BarrierError extends MonolithError {
  /** @param kind 'Timeout', 'InvalidConfig', or 'Rpc' for everything else; `cause` holds the client's error. */
  constructor(
    readonly kind: 'Timeout' | 'InvalidConfig' | 'Rpc',
    message: string,
    details: ErrorDetails,
    options: { cause?: unknown },
  ) {
    super(kind === 'Rpc' ? 'RpcError' : kind, message, details, options);
  }
}

export function invalidConfig(message: string, details: ErrorDetails = {}): PsError {
  return new PsError('InvalidConfig', message, details);
}

/** An error of gRPC as the client's: Timeout where time ran out, RpcError for the rest, with the code in `details.status`. */
export function fromTransport(error: unknown, what: string, timeoutMs: number): PsError {
  const known = MonolithError.from(error);
  if (known instanceof PsError) return known;
  const code: ErrorCode = known.code === 'DeadlineExceeded' ? 'Timeout' : known.code === 'Cancelled' ? 'Cancelled' : 'RpcError';
  const message = code === 'Timeout' ? `${what} did not end within ${timeoutMs} ms (${known.message})` : `${what}: ${known.message}`;
  return new PsError(code, message, { ...known.details, status: known.code }, { cause: known });
}

/** A request that the shard refused in its answer. */
export function refusedByShard(message: string, peer: string, shard: number, reason: string | undefined): PsError {
  return new PsError('RpcError', message, { status: 'Internal', peer, shard, ...(reason !== undefined && { reason }) });
}
