import type { ErrorCode } from '../base/index.js';

/** What the process ends with; see docs/errors.md. */
export const ExitCode = { done: 0, failed: 1, usage: 2, data: 3, checkpoint: 4, cluster: 5, interrupted: 130, terminated: 143 } as const;

/** The exit code for an error of the package. */
export function exitCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'InvalidConfig':
    case 'UnknownModel':
    case 'InvalidModel':
    case 'BackendUnavailable':
      return ExitCode.usage;
    case 'DataNotFound':
    case 'DataFormat':
    case 'RecordCorrupt':
    case 'TooManyBadRecords':
      return ExitCode.data;
    case 'CheckpointCorrupt':
    case 'CheckpointIncompatible':
    case 'CheckpointNotFound':
    case 'MissingCheckpoint':
    case 'RestoreCkptNotFound':
    case 'ReadCheckpointFailed':
    case 'RunFolderBusy':
    case 'DiskFull':
    case 'WriteFailed':
      return ExitCode.checkpoint;
    case 'WorkerDied':
    // A parameter server that came back without its state, or that works for another chief.
    case 'FailedPrecondition':
    case 'RestoreSyncTimeout':
    case 'Unavailable':
    case 'Discovery':
    case 'WaitTimeout':
    case 'BarrierTimeout':
    case 'BarrierPoisoned':
    case 'RingPoisoned':
    case 'RingTimeout':
    case 'RingClosed':
    case 'Aborted':
      return ExitCode.cluster;
    default:
      return ExitCode.failed;
  }
}
