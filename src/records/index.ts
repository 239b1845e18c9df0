export {
  type DecodedExample,
  type DecodedFeature,
  decodeExample,
  type ExampleFeature,
  type ExampleFeatures,
  encodeExample,
} from './example-codec.js';
export { recordFormats } from './formats.js';
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
export { WritableFile } from './writable-file.js';
