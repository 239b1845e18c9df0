import type { MonolithError } from '../base/index.js';
import { type ColumnarFormat, columnarFormats } from '../columnar/index.js';
import type { FeatureSchema } from '../features/index.js';
import type { CriteoIntegers } from './criteo-schema.js';
import { defaultFraming, type Framing } from './monolith/framing.js';

/** Messages of Monolith in its own framing. */
export const monolithFormats = ['instance', 'example', 'example-batch', 'example-batch-row-major'] as const;
export type MonolithFormat = (typeof monolithFormats)[number];

export function isMonolithFormat(format: string): format is MonolithFormat {
  return (monolithFormats as readonly string[]).includes(format);
}

export function isColumnarFormat(format: string): format is ColumnarFormat {
  return (columnarFormats as readonly string[]).includes(format);
}

/** Formats whose columns are bags of any length, whether or not the schema says so. */
export function hasListsOfAnyLength(format: string): boolean {
  return format === 'vw' || isMonolithFormat(format);
}

/** Record formats. 'auto' decides by extension, magic bytes and content. */
export type DataFormat =
  | 'auto'
  | 'csv'
  | 'tsv'
  | 'criteo'
  | 'criteo-bin'
  | 'libsvm'
  | 'libffm'
  | 'tfrecord'
  | 'avro'
  | 'jsonl'
  | 'vw'
  | 'npz'
  | MonolithFormat
  | ColumnarFormat;
export type ResolvedFormat = Exclude<DataFormat, 'auto'>;

/** How the records of a file are dealt to training and evaluation. */
export type SplitOptions = {
  readonly by: 'none' | 'fraction' | 'column' | 'rows';
  /** fraction: share of the records that are eval, in (0, 1). */
  readonly fraction?: number | undefined;
  /** column: records whose text in this column is one of evalValues are eval. */
  readonly column?: string | undefined;
  readonly evalValues?: readonly string[] | undefined;
  /** rows: 'a-b', data records of each file, 1-based, both ends included, are eval. */
  readonly rows?: string | undefined;
  readonly part: 'train' | 'eval' | 'all';
};

/** What to read and how. Every field but `files` has a default ({@link pipelineDefaults}). */
export type PipelineOptions = {
  /** Paths, glob patterns (* ? ** [..] {a,b}), comma lists, folders, `@list` (a file of them); '-' is standard input. */
  readonly files: readonly string[];
  readonly format: DataFormat;
  /** null: the built-in Criteo schema; LibSVM and LibFFM need none. */
  readonly schema: FeatureSchema | null;
  /** Feature numbers of each batch group; empty: one group of all features. */
  readonly groups: readonly { readonly features: readonly number[] }[];
  /** Examples of one worker's batch. */
  readonly batchSize: number;
  readonly workers: number;
  /** The one worker whose slot is filled, the others being elsewhere; null: all. */
  readonly fillWorker: number | null;
  /** 0: endless. */
  readonly epochs: number;
  /** Examples of a shuffle window; 0: file order. */
  readonly shuffle: number;
  readonly seed: number;
  readonly split: SplitOptions;
  /** Bad records of one epoch that are skipped and counted; one more is an error. */
  readonly maxBadRecords: number;
  /** Most ids of one example in one group; more make a bad record. */
  readonly maxIdsPerExample: number;
  /** Parse threads; 0: parse on the calling thread; null: by the number of cores. */
  readonly parseThreads: number | null;
  readonly requireLabel: boolean;
  /** A label outside 0 … 1 makes the record bad: for models that predict a probability. */
  readonly unitLabels: boolean;
  /** Data without any example are no error: there are just no steps. */
  readonly allowEmpty: boolean;
  /** Told of every bad record that is skipped. */
  readonly onBadRecord: ((problem: MonolithError) => void) | null;
  /** The schema's samplings hold: for training. */
  readonly sampling: boolean;
  /** A bad record becomes an example with label NaN, weight 0, no ids. */
  readonly keepBadRecords: boolean;
  readonly backend: 'auto' | 'native' | 'reference';
  /** criteo-bin: bytes before the first record. */
  readonly headerBytes: number;
  readonly labelType: 'int32' | 'float32';
  readonly denseType: 'int32' | 'float32';
  /** Field separator of csv and tsv, one character; null: by format. */
  readonly separator: string | null;
  /** Whether the first line names the columns. 'auto': yes where the schema has no columns, else if it equals them. */
  readonly header: boolean | 'auto';
  /** Spaces around fields are dropped. */
  readonly trim: boolean;
  /** LibFFM fields; null: the files are scanned. */
  readonly numFields: number | null;
  /** Monolith's formats: what stands before each message. */
  readonly framing: Framing;
  /** Monolith's formats: nothing stands before it, each file is one message. */
  readonly bareMessage: boolean;
  readonly criteoIntegers: CriteoIntegers;
  /** Folder of preprocessed data, 'auto' for a hidden one beside each file; null: none. Changes no result, only the time taken. */
  readonly cache: string | null;
  /** Told once of each thing that is worth a line but no error; null: a process warning. */
  readonly notify: ((message: string) => void) | null;
  /** Bytes of a raw block. */
  readonly blockBytes: number;
  /** A record longer than this is an error. */
  readonly maxRecordBytes: number;
};

/** Defaults of {@link PipelineOptions}. */
export const pipelineDefaults: PipelineOptions = {
  files: [],
  format: 'auto',
  schema: null,
  groups: [],
  batchSize: 512,
  workers: 1,
  fillWorker: null,
  epochs: 1,
  shuffle: 65536,
  seed: 42,
  split: { by: 'none', part: 'all' },
  maxBadRecords: 0,
  maxIdsPerExample: 1024,
  parseThreads: null,
  requireLabel: true,
  unitLabels: false,
  allowEmpty: false,
  onBadRecord: null,
  sampling: true,
  keepBadRecords: false,
  backend: 'auto',
  headerBytes: 0,
  labelType: 'int32',
  denseType: 'int32',
  separator: null,
  header: 'auto',
  trim: true,
  numFields: null,
  framing: defaultFraming,
  bareMessage: false,
  criteoIntegers: 'dense',
  cache: null,
  notify: null,
  // A block parses in one to four milliseconds: long against the cost of a task, short against a step.
  blockBytes: 1 << 20,
  maxRecordBytes: 16 << 20,
};
