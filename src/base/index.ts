export { cityHash64, cityHash64Into } from './city-hash.js';
export { type Clock, ManualClock, monotonicMs, systemClock, wallClock } from './clock.js';
export { type Crc32c, crc32c, crc32cJoiner, maskCrc32c, maskedCrc32c } from './crc32c.js';
export {
  DurableWriter,
  freeBytes,
  fsyncFolder,
  makeFolderDurable,
  removeQuietly,
  renameDurable,
  renameFile,
  writeFileDurable,
  writeFileFlushed,
} from './durable-file.js';
export { type ErrorCode, type ErrorDetails, MonolithError, type SerializedError, shapeMismatch } from './errors.js';
export {
  armFailpoint,
  armFailpoints,
  type CallerAction,
  countFailpoints,
  disarmAll,
  FAILPOINTS_VARIABLE,
  type FailpointAction,
  failpoint,
  failpointCounts,
} from './failpoint.js';
export {
  bucketOf,
  extractFid,
  fidV1ToV2,
  fidV2ToV1,
  MAX_SLOT,
  MAX_SLOT_V1,
  makeFid,
  makeFidV1,
  mix64BigInt,
  signatureOf,
  signatureOfV1,
  slotOf,
  slotOfV1,
  withSlot,
  writeHashedFid,
} from './fid.js';
export {
  type LaunchedPlace,
  type LauncherBackend,
  launchedPlace,
  launcherBackend,
  launcherLocalRank,
  launcherLocalSize,
  launcherRank,
  launcherSize,
  type Variables,
} from './launcher-environment.js';
export { type FolderSources, findMain, getLibopsPath, isabs, isHdfsPath } from './monolith-folders.js';
export { packageVersion } from './package-version.js';
export { pageAlignedBuffer } from './page-aligned.js';
export { mix64, type RandomState, SeededRandom, seedFromNames } from './random.js';
export { editDistance, suggest } from './suggest.js';
export { threadArguments } from './thread-arguments.js';
export { bigIntToHalves, halvesToBigInt, multiplyHigh32, type Uint64Halves } from './uint64.js';
export {
  type Cursor,
  readVarint,
  readVarint64,
  readVarint64Into,
  varintLength,
  writeVarint,
  writeVarint64,
  zigzagDecode,
  zigzagEncode,
} from './varint.js';
