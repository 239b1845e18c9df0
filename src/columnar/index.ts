export { AvroDecoder, avroCodecs, loadSnappy, readBlockHead, type Snappy } from './avro-block.js';
export { type AvroBlock, type AvroSource, avroBlockEnd, avroBlocks } from './avro-blocks.js';
export { AVRO_MAGIC, type AvroHeader, readAvroHeader } from './avro-header.js';
export { type AvroSchema, readAvroSchema } from './avro-schema.js';
export {
  type ColumnarFile,
  type ColumnarFormat,
  type ColumnarGroup,
  type ColumnRange,
  columnarFormats,
  type FileStamp,
  fileChanged,
} from './columnar-file.js';
export type { ColumnarWriter, WriteColumn, WriteField } from './columnar-writer.js';
export {
  type ColumnField,
  type ColumnKind,
  type ColumnValues,
  type DecodedColumn,
  numValues,
  Texts,
  withoutDictionary,
} from './columns.js';
export { type ColumnarTarget, createColumnarFile, openColumnarFile } from './open.js';
