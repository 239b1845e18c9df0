import { arrowFormat } from './arrow.js';
import { avroFormat } from './avro.js';
import { criteoBinFormat, criteoFormat } from './criteo.js';
import { csvFormat, tsvFormat } from './delimited/format.js';
import { jsonlFormat } from './jsonl.js';
import { libffmFormat, libsvmFormat } from './libsvm.js';
import { exampleBatchFormat, exampleBatchRowMajorFormat, exampleFormat, instanceFormat } from './monolith/format.js';
import { npzFormat } from './npz.js';
import { parquetFormat } from './parquet.js';
import type { RecordFormat } from './record-batch.js';
import { tfrecordFormat } from './tfrecord.js';
import { vwFormat } from './vw.js';

/** All formats, in the order in which help lists them. */
export const recordFormats: readonly RecordFormat[] = [
  csvFormat,
  tsvFormat,
  criteoFormat,
  criteoBinFormat,
  libsvmFormat,
  libffmFormat,
  tfrecordFormat,
  jsonlFormat,
  vwFormat,
  npzFormat,
  exampleFormat,
  instanceFormat,
  exampleBatchFormat,
  exampleBatchRowMajorFormat,
  parquetFormat,
  arrowFormat,
  avroFormat,
];
