import type { RecordFormat } from './record-batch.js';

/** All formats, in the order in which help lists them. */
export const recordFormats: readonly RecordFormat[] = [];
