import { MonolithError } from '../base/index.js';
import { createColumnarFile } from '../columnar/index.js';
import { ColumnarSink, openRecords, takeOptions } from './columnar.js';
import type { RecordFormat } from './record-batch.js';

/** Rows of a row group: a few megabytes as a rule, so that several threads have something to do. */
const ROW_GROUP_ROWS = 65536;

/** Apache Parquet. Reading: `flatten`. Writing: `codec` (SNAPPY, GZIP, BROTLI, UNCOMPRESSED), `rowGroupRows`. */
export const parquetFormat: RecordFormat = {
  name: 'parquet',
  extensions: ['.parquet', '.pq'],
  open: (path, options) => openRecords('parquet', path, options),
  create: async (path, fields, given) => {
    const options = takeOptions('parquet', given, { codec: 'SNAPPY', rowGroupRows: ROW_GROUP_ROWS });
    const codec = options.codec.toUpperCase();
    if (!isCodec(codec)) {
      throw new MonolithError('InvalidConfig', `format parquet: codec ${options.codec} is none of ${codecs.join(', ')}`, {
        option: 'codec',
      });
    }
    if (!Number.isInteger(options.rowGroupRows) || options.rowGroupRows < 1) {
      throw new MonolithError('InvalidConfig', `format parquet: rowGroupRows is ${options.rowGroupRows}, expected a whole number ≥ 1`);
    }
    const writer = await createColumnarFile({ format: 'parquet', codec, rowGroupRows: options.rowGroupRows }, path, fields);
    return new ColumnarSink(writer, fields);
  },
};

const codecs = ['SNAPPY', 'GZIP', 'BROTLI', 'UNCOMPRESSED'] as const;

function isCodec(text: string): text is (typeof codecs)[number] {
  return (codecs as readonly string[]).includes(text);
}
