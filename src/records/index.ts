export { BatchBuilder, cell, type FieldValue, pickRows, sliceRows } from './batch-builder.js';
export { formatNamed, formatOfName } from './choose.js';
export {
  type DecodedExample,
  type DecodedFeature,
  decodeExample,
  type ExampleFeature,
  type ExampleFeatures,
  encodeExample,
} from './example-codec.js';
export { recordFormats } from './formats.js';
export { type InputOptions, openRecords, type RecordInput } from './input.js';
export type {
  RecordBatch,
  RecordColumn,
  RecordField,
  RecordFormat,
  RecordOptions,
  RecordSink,
  RecordSource,
  ValueKind,
} from './record-batch.js';
export { readTfRecords, type TfRecord, type TfRecordReadOptions } from './tfrecord-reader.js';
export { type TfRecordCompression, TfRecordWriter } from './tfrecord-writer.js';
export { type ConvertRequest, type ConvertResult, convertRecords } from './tools/convert.js';
export type { ColumnDrift } from './tools/drift.js';
export { type GenerateRequest, type GenerateResult, generateRecords } from './tools/generate.js';
export { type InspectRequest, type InspectResult, inspectRecords } from './tools/inspect.js';
export { inspectPage } from './tools/inspect-page.js';
export { inspectText, statsText } from './tools/inspect-text.js';
export type { ColumnProfile } from './tools/profile.js';
export { type SplitRequest, type SplitResult, splitRecords } from './tools/split.js';
export { suggestConfig } from './tools/suggest-config.js';
export { type BadRecordReport, type ValidateRequest, type ValidateResult, validateRecords } from './tools/validate.js';
export { Transform, type TransformOptions } from './transform.js';
export { WritableFile } from './writable-file.js';
