import { copyCheckpointFromRestoreDir } from '../../src/restore/index.js';

// As a child process: node restore-scenario.js RESTORE_DIR MODEL_DIR PICK; the chief's part of a restore, for tests that kill it.
if (process.argv[1]?.endsWith('restore-scenario.js')) {
  const [, , restoreDir, modelDir, pick] = process.argv;
  await copyCheckpointFromRestoreDir(restoreDir, modelDir, pick);
}
