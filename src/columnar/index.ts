export {
  type ColumnarFile,
  type ColumnarFormat,
  type ColumnarGroup,
  type ColumnRange,
  columnarFormats,
  type FileStamp,
  fileChanged,
} from './columnar-file.js';
export {
  type ColumnField,
  type ColumnKind,
  type ColumnValues,
  type DecodedColumn,
  numValues,
  Texts,
  withoutDictionary,
} from './columns.js';
export { openColumnarFile } from './open.js';
