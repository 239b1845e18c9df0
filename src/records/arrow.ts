import { MonolithError } from '../base/index.js';
import { createColumnarFile } from '../columnar/index.js';
import { ColumnarSink, openRecords, takeOptions } from './columnar.js';
import type { RecordFormat } from './record-batch.js';

const BATCH_ROWS = 16384;

/** Arrow IPC, file form (Feather 2) and stream form. Reading: `flatten`. Writing: `stream` (the stream form), `batchRows`. */
export const arrowFormat: RecordFormat = {
  name: 'arrow',
  extensions: ['.arrow', '.feather', '.arrows', '.ipc'],
  open: (path, options) => openRecords('arrow', path, options),
  create: async (path, fields, given) => {
    const { stream, batchRows } = takeOptions('arrow', given, { stream: path.toLowerCase().endsWith('.arrows'), batchRows: BATCH_ROWS });
    if (!Number.isInteger(batchRows) || batchRows < 1) {
      throw new MonolithError('InvalidConfig', `format arrow: batchRows is ${batchRows}, expected a whole number ≥ 1`, {
        option: 'batchRows',
      });
    }
    return new ColumnarSink(await createColumnarFile({ format: 'arrow', stream, batchRows }, path, fields), fields);
  },
};
