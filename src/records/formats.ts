import { arrowFormat } from './arrow.js';
import { avroFormat } from './avro.js';
import { parquetFormat } from './parquet.js';
import type { RecordFormat } from './record-batch.js';

/** All formats, in the order in which help lists them. */
export const recordFormats: readonly RecordFormat[] = [parquetFormat, arrowFormat, avroFormat];
