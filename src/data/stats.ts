import type { ResolvedFormat } from './options.js';

/** Counters of a pipeline at the next step. */
export type DataStats = {
  /** Handed out since the beginning, all epochs. */
  readonly examples: number;
  /** Bad records read so far, all epochs. */
  readonly badRecords: number;
  /** Records of the part that the schema's filters or samplings left out so far, all epochs. */
  readonly leftOutRecords: number;
  /** Decompressed bytes of the windows handed out, all epochs. */
  readonly bytes: number;
  readonly epoch: number;
  /** Bytes of one epoch; null where a file is compressed or standard input. */
  readonly totalBytes: number | null;
  /** Part of all epochs that has been handed out, 0 … 1; null where it can't be told. */
  readonly progress: number | null;
  readonly format: ResolvedFormat;
  /** What was told of the first file by looking at it (format, separator, header), in words; empty where the options said it all. */
  readonly found: string;
  readonly backend: 'native' | 'reference';
};
