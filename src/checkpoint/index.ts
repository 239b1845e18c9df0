export { adoptCheckpoint, checkpointAt } from './adopt.js';
export {
  type BaseReference,
  BLOCK_LENGTH,
  checkpointName,
  FORMAT_VERSION,
  isSectionName,
  MONOLITH_STATE_FILE,
  parseOwnedName,
  type SectionInfo,
  TF_STATE_FILE,
} from './format.js';
export { type CheckpointEntry, listCheckpoints } from './list.js';
export type { CheckpointManifest, JsonValue, ManifestFields } from './manifest.js';
export { type PruneResult, prune, removeAllCheckpoints } from './prune.js';
export {
  CheckpointReader,
  type NewestGoodOptions,
  newestGood,
  openCheckpoint,
  referenceTo,
  type VerifiedSection,
  verify,
} from './reader.js';
export { type FolderUse, RunLock } from './run-lock.js';
export { type ClosedSection, SectionWriter } from './section-writer.js';
export {
  amendMonolithState,
  type CheckpointState,
  formatCheckpointState,
  type HashTableType,
  type MonolithCheckpointState,
  parseCheckpointState,
  parseMonolithCheckpointState,
} from './state-text.js';
export { type CheckpointOptions, CheckpointWriter } from './writer.js';
