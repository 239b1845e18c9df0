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
