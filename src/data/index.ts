export { type CriteoIntegers, criteoSchema } from './criteo-schema.js';
export { type ByteSource, type FileInfo, fileInfo, openSource } from './file-source.js';
export { type DataInputs, inspectInputs } from './inputs.js';
export { type FeatureList, type FeatureListEntry, formatFeatureList, parseFeatureList } from './monolith/feature-list.js';
export {
  defaultFraming,
  encodeFrame,
  type Frame,
  type Framing,
  readFrames,
  readHeader,
  sourceHeader,
} from './monolith/framing.js';
export { decodeMessage, encodeMessage, type MonolithMessage, type MonolithMessageName, type MonolithValue } from './monolith/messages.js';
export {
  type DataFormat,
  isMonolithFormat,
  type MonolithFormat,
  type PipelineOptions,
  pipelineDefaults,
  type ResolvedFormat,
  type SplitOptions,
} from './options.js';
export { filesFromPattern } from './paths.js';
export { BatchPipeline, type DataStats } from './pipeline.js';
export type { DataPosition, StreamPoint } from './position.js';
