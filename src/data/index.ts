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
export { BatchPipeline, type DataStats } from './pipeline.js';
export type { DataPosition, StreamPoint } from './position.js';
