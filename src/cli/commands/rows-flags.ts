import type { Options } from 'yargs';

/** Flags of `rows export`. */
export const rowsExportFlags = {
  format: { type: 'string', default: 'csv', describe: 'csv, jsonl, or npy: arrays of NumPy' },
  table: { type: 'string', describe: 'This table alone; needed where there are several and no --output' },
  output: { type: 'string', describe: 'Folder for the files; standard output without it (csv, jsonl)' },
  state: { type: 'boolean', default: false, describe: 'Optimizer state, too' },
  json: { type: 'boolean', default: false, describe: 'With --output: what was written, as one JSON object' },
} as const satisfies { readonly [flag: string]: Options };

/** Flags of `rows import` beside the options of a run. */
export const rowsImportFlags = {
  table: { type: 'string', describe: 'Table that the rows go into; may be left out where there is one' },
  input: { type: 'string', describe: 'A .csv, a .jsonl, or a folder with fids.npy and values.npy' },
  slice: { type: 'string', describe: 'Slice that the values belong to; all of the table without it' },
  existing: {
    type: 'string',
    default: 'refuse',
    describe: 'Rows that are there already: refuse the import, keep them, or replace them',
  },
} as const satisfies { readonly [flag: string]: Options };
