export { copyCheckpointFromRestoreDir, type RestoreRequest, type RestoreResult, restoreCheckpointFor, restoreRunFolder } from './chief.js';
export { type PrepareRestoreOptions, prepareRestoreCheckpoint, type RestoreWait, waitForRestoredCheckpoint } from './follow.js';
export {
  type InitializeRestoreOptions,
  initializeRestoreCheckpointFromRunConfig,
  initializeRestoreCheckpointFromRunConfigDefaults,
  initializeRestoreCheckpointFromRunner,
  initializeRestoreCheckpointFromRunnerDefaults,
} from './initialize.js';
export { getCheckpointStateWithRestoreOverride, type RestoreOverride, type RunnerMode } from './override.js';
export { RESTORE_MARKER, readStateFile, type StateFile } from './state.js';
