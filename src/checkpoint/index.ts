export { BLOCK_LENGTH, checkpointName, FORMAT_VERSION, isSectionName, type SectionInfo } from './format.js';
export { type CheckpointEntry, listCheckpoints } from './list.js';
export type { CheckpointManifest, JsonValue, ManifestFields } from './manifest.js';
export { type PruneResult, prune, removeAllCheckpoints } from './prune.js';
export { CheckpointReader, type NewestGoodOptions, newestGood, openCheckpoint, type VerifiedSection, verify } from './reader.js';
export { type FolderUse, RunLock } from './run-lock.js';
export { type ClosedSection, SectionWriter } from './section-writer.js';
export { type CheckpointOptions, CheckpointWriter } from './writer.js';
