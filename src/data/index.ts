export { readingOptions } from './config-options.js';
export { type CriteoIntegers, criteoSchema } from './criteo-schema.js';
export { invalidUtf8, type SniffedEncoding, sniffEncoding, type TextEncoding, textEncodings, wholeUtf8 } from './encoding.js';
export { type ByteSource, type FileInfo, fileInfo, openSource, readHead } from './file-source.js';
export { type DataInputs, inspectInputs } from './inputs.js';
export { type FeatureList, type FeatureListEntry, formatFeatureList, parseFeatureList } from './monolith/feature-list.js';
export {
  defaultFraming,
  encodeFrame,
  type Frame,
  FrameState,
  type Framing,
  framePlaces,
  frameProblem,
  framingHint,
  readFrames,
  readHeader,
  sourceHeader,
  walkFrame,
} from './monolith/framing.js';
export { decodeMessage, encodeMessage, type MonolithMessage, type MonolithMessageName, type MonolithValue } from './monolith/messages.js';
export { crc32 } from './npz/crc32.js';
export { ItemReader } from './npz/items.js';
export { type NpyArray, NpyType } from './npz/npy.js';
export { type NpzRows, parseNpzHead } from './npz/rows.js';
export {
  type DataFormat,
  isMonolithFormat,
  type MonolithFormat,
  type PipelineOptions,
  pipelineDefaults,
  type ResolvedFormat,
  type SplitOptions,
} from './options.js';
export { expandFiles, filesFromPattern, standardInput } from './paths.js';
export { BatchPipeline } from './pipeline.js';
export type { DataPosition, StreamPoint, StreamPosition } from './position.js';
export type { DataStats } from './stats.js';
export { openStreamData } from './stream/history.js';
export type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from './stream/source.js';
export { type StreamOptions, streamDefaults } from './stream/stream-options.js';
export { type MakeSources, StreamPipeline } from './stream/stream-pipeline.js';
export { planStream, splitSources } from './stream/stream-plan.js';
export { isStreamSpec } from './stream/stream-spec.js';
export { vwProblem } from './text-problems.js';
export type { StreamFacts, TrainData } from './train-data.js';
export { VwLine, VwProblem, type VwVisitor } from './vw/line.js';
