/** Plain JSON carried by an error so that it keeps its meaning across threads and the wire. */
export type ErrorDetails = { readonly [key: string]: string | number | boolean | null | readonly string[] | readonly number[] };

/** Every error code of the package. A code never changes once released; each has a section in docs/errors.md. */
export type ErrorCode =
  | 'InvalidArgument'
  | 'InvalidConfig'
  | 'ShapeMismatch'
  | 'UnknownModel'
  | 'InvalidModel'
  | 'BackendUnavailable'
  | 'DataNotFound'
  | 'DataFormat'
  | 'RecordCorrupt'
  | 'TooManyBadRecords'
  | 'CheckpointCorrupt'
  | 'CheckpointIncompatible'
  | 'CheckpointNotFound'
  | 'RunFolderBusy'
  | 'MissingCheckpoint'
  | 'RestoreCkptNotFound'
  | 'ReadCheckpointFailed'
  | 'RestoreSyncTimeout'
  | 'NonFiniteParameters'
  | 'DiskFull'
  | 'WriteFailed'
  | 'BrokenPipe'
  | 'InvalidInput'
  | 'NonFiniteLoss'
  | 'HookFailed'
  | 'InvalidConfiguration'
  | 'CommunicationError'
  | 'ParameterNotFound'
  | 'BarrierTimeout'
  | 'BarrierPoisoned'
  | 'RingPoisoned'
  | 'RingTimeout'
  | 'RingClosed'
  | 'QueueClosed'
  | 'WaitTimeout'
  | 'ArenaFull'
  | 'WorkerDied'
  | 'TableFull'
  | 'Discovery'
  | 'MissingTfConfig'
  | 'MissingPsm'
  | 'LocalModeNoDiscovery'
  | 'DiscoveryTimeout'
  | 'MissingOrGappedIndexSet'
  | 'ConflictingDuplicateIndex'
  | 'MixedIndexMetadataPresence'
  | 'InvalidIndexMetadata'
  | 'RunConfig'
  | 'SpecModeChange'
  | 'Distributed'
  | 'RunnerUtils'
  | 'DimensionMismatch'
  | 'RpcError'
  | 'Timeout'
  | 'Unavailable'
  | 'DeadlineExceeded'
  | 'Unauthenticated'
  | 'PermissionDenied'
  | 'ResourceExhausted'
  | 'FailedPrecondition'
  | 'NotFound'
  | 'Unimplemented'
  | 'Cancelled'
  | 'Aborted'
  | 'Internal';

/**
 * The one error class of the package; match on `code`. The message says where, what, expected against actual, and what to do next.
 *
 * @param code    stable identifier, one of {@link ErrorCode}.
 * @param message text for people.
 * @param details plain JSON with the values that the message was made from.
 */
export class MonolithError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code;
    this.code = code;
    this.details = details;
  }

  /** The form in which an error crosses a thread border. */
  toJSON(): SerializedError {
    return { code: this.code, message: this.message, details: this.details };
  }

  static fromJSON(value: SerializedError): MonolithError {
    return new MonolithError(value.code, value.message, value.details);
  }

  /** Any thrown value as a MonolithError; unknown ones become `Internal` with the original as cause. */
  static from(value: unknown): MonolithError {
    if (value instanceof MonolithError) return value;
    const message = value instanceof Error ? (value.stack ?? value.message) : String(value);
    return new MonolithError('Internal', message, {}, { cause: value });
  }
}

export type SerializedError = { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails };

/** A buffer whose length does not fit its stated shape: a programming error at the door of a kernel or layer. */
export function shapeMismatch(where: string, what: string, expected: readonly number[] | number, actual: number): MonolithError {
  const shape = typeof expected === 'number' ? [expected] : expected;
  return new MonolithError(
    'ShapeMismatch',
    `${where}: ${what} has ${actual} elements, expected ${shape.join(' × ')} = ${shape.reduce((a, b) => a * b, 1)}`,
    { where, what, expected: shape, actual },
  );
}
