import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorCode, MonolithError } from '../base/index.js';

/** Trailing metadata in which a server of ours sends the error itself, as JSON; other servers' errors have their status alone. */
const ERROR_KEY = 'monolith-error-bin';

/** gRPC status → code of the package. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  [status.CANCELLED]: 'Cancelled',
  [status.INVALID_ARGUMENT]: 'InvalidArgument',
  [status.DEADLINE_EXCEEDED]: 'DeadlineExceeded',
  [status.NOT_FOUND]: 'NotFound',
  [status.PERMISSION_DENIED]: 'PermissionDenied',
  [status.RESOURCE_EXHAUSTED]: 'ResourceExhausted',
  [status.FAILED_PRECONDITION]: 'FailedPrecondition',
  [status.ABORTED]: 'Aborted',
  [status.OUT_OF_RANGE]: 'InvalidArgument',
  [status.UNIMPLEMENTED]: 'Unimplemented',
  [status.UNAVAILABLE]: 'Unavailable',
  [status.UNAUTHENTICATED]: 'Unauthenticated',
};

/** Code of the package → gRPC status; what is not listed is the server's own trouble: INTERNAL. */
const statusOfCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  Cancelled: status.CANCELLED,
  InvalidArgument: status.INVALID_ARGUMENT,
  InvalidConfig: status.INVALID_ARGUMENT,
  DimensionMismatch: status.INVALID_ARGUMENT,
  ShapeMismatch: status.INVALID_ARGUMENT,
  RecordCorrupt: status.INVALID_ARGUMENT,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  Timeout: status.DEADLINE_EXCEEDED,
  BarrierTimeout: status.DEADLINE_EXCEEDED,
  NotFound: status.NOT_FOUND,
  PermissionDenied: status.PERMISSION_DENIED,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  TableFull: status.RESOURCE_EXHAUSTED,
  FailedPrecondition: status.FAILED_PRECONDITION,
  Aborted: status.ABORTED,
  Unimplemented: status.UNIMPLEMENTED,
  Unavailable: status.UNAVAILABLE,
  Unauthenticated: status.UNAUTHENTICATED,
};

/**
 * grpc-js reports a connection that broke under a running call as INTERNAL or UNKNOWN with one of these texts; for callers it is the same as
 * UNAVAILABLE.
 */
const CONNECTION_LOST = /RST_STREAM|ECONNRESET|ECONNREFUSED|EPIPE|socket hang up|session|Connection dropped/i;

/** What a handler threw, as the status that the client gets. Errors that are not ours go out as `Internal` without their text. */
export function toStatus(thrown: unknown): { code: number; details: string; metadata: Metadata } {
  const known = thrown instanceof MonolithError;
  const error = known ? thrown : new MonolithError('Internal', 'the server failed on this call; its log says why');
  const metadata = new Metadata();
  metadata.set(ERROR_KEY, Buffer.from(JSON.stringify(error.toJSON())));
  return { code: statusOfCode[error.code] ?? status.INTERNAL, details: error.message, metadata };
}

/**
 * An error of grpc-js as one of ours: the server's own code if it sent one, else that of the status. The message begins with the peer's address.
 *
 * @param peer   host:port of the server.
 * @param method path of the call, '/package.Service/Method'.
 */
export function fromServiceError(error: ServiceError | StatusObject, peer: string, method: string): MonolithError {
  const details = { peer, method, status: status[error.code] ?? String(error.code) };
  const sent = sentError(error.metadata);
  if (sent !== null) return new MonolithError(sent.code, `${peer}: ${sent.message}`, { ...sent.details, ...details }, { cause: error });
  const lost = (error.code === status.INTERNAL || error.code === status.UNKNOWN) && CONNECTION_LOST.test(error.details);
  const code = lost ? 'Unavailable' : (codeOfStatus[error.code] ?? 'Internal');
  return new MonolithError(code, `${peer}: ${method}: ${error.details || status[error.code]}${advice(code)}`, details, { cause: error });
}

function advice(code: ErrorCode): string {
  switch (code) {
    case 'Unavailable':
      return '. Check that the process runs, that address and port are right, and that both sides agree on TLS';
    case 'Unauthenticated':
      return '. Give the token that the server was started with (--token-file)';
    default:
      return '';
  }
}

function sentError(metadata: Metadata | undefined): MonolithError | null {
  const raw = metadata?.get(ERROR_KEY)[0];
  if (!Buffer.isBuffer(raw)) return null;
  try {
    const { code, message, details } = JSON.parse(raw.toString('utf8')) as Record<string, unknown>;
    if (typeof code !== 'string' || !/^[A-Z][A-Za-z]{2,40}$/.test(code) || typeof message !== 'string') return null;
    const plain = typeof details === 'object' && details !== null && !Array.isArray(details) ? details : {};
    return new MonolithError(code as ErrorCode, message, plain as MonolithError['details']);
  } catch {
    return null;
  }
}
