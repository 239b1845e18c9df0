import { fileInfo } from '../../data/index.js';
import type { RecordFormat } from '../record-batch.js';
import { readDialect } from './dialect.js';
import { DelimitedSource, fieldsOfAll } from './read.js';
import { createDelimited } from './write.js';

/** Text with separators: `csv` with quotes (RFC 4180), `tsv` with tabs and without. */
function delimited(name: 'csv' | 'tsv', extensions: readonly string[]): RecordFormat {
  return {
    name,
    extensions,
    async open(path, options) {
      const info = await fileInfo(path);
      const dialect = await readDialect(name, info, options);
      return new DelimitedSource(info, dialect, dialect.guessFromAll ? await fieldsOfAll(info, dialect) : dialect.fields);
    },
    create: (path, fields, options) => createDelimited(name, path, fields, options),
  };
}

export const csvFormat = delimited('csv', ['.csv']);
export const tsvFormat = delimited('tsv', ['.tsv', '.tab', '.inter', '.item', '.user']);
