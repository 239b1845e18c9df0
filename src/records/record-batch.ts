import type { MonolithError } from '../base/index.js';

// Records of any format with all their fields, for tools that read and write files whole. Training does not go this way: its parsers write
// the columns that a model wants into batches directly (data/).

/** What a field holds: 64-bit integers, floats of 32 or 64 bits, text, or bytes that are no text. */
export type ValueKind = 'int64' | 'float32' | 'float64' | 'text' | 'bytes';

export type RecordField = {
  readonly name: string;
  readonly kind: ValueKind;
  /** Whether a record may hold any number of values of it; otherwise one, or none where it is missing. */
  readonly isList: boolean;
  /** What its own format calls it where the kind alone would lose that (`fid_v2`); other formats pass it by. */
  readonly as?: string | undefined;
};

/** The values of one field in a batch. Those of row r are values[offsets[r] … offsets[r + 1]); without offsets there is one a row. */
export type RecordColumn = RecordField & {
  /** A row without values is missing the field, or has an empty list: `missing` tells which. */
  readonly offsets: Uint32Array | null;
  /** One byte a row: 1 where the record does not have the field at all; null where all have it. */
  readonly missing: Uint8Array | null;
  readonly values: BigInt64Array | Float32Array | Float64Array | readonly string[] | readonly Uint8Array[];
};

export type RecordBatch = { readonly rows: number; readonly columns: readonly RecordColumn[] };

/** Reads one file. The fields are known after opening, from a header or from looking at the first records. */
export interface RecordSource {
  readonly path: string;
  readonly fields: readonly RecordField[];
  /** What was found out about the file that it does not say itself, and by what; one line each. */
  readonly findings?: readonly string[] | undefined;
  /** Options of `data` in a training configuration that this file asks for, beside its format. */
  readonly trainingOptions?: Readonly<Record<string, string | boolean>> | undefined;
  /** From now on bad records are told here and left out, instead of ending the reading; not there where a format can't go on behind one. */
  readonly tolerate?: ((onBad: (problem: MonolithError) => void) => void) | undefined;
  /** Batches in the order of the file; once. Errors name file, record or line, and byte. */
  batches(): AsyncIterable<RecordBatch>;
  close(): Promise<void>;
}

/** Writes one file: whole after {@link close}, not there after {@link abort}. */
export interface RecordSink {
  write(batch: RecordBatch): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** What a format's files need to be told; each format takes what it knows and refuses the rest. */
export type RecordOptions = Readonly<Record<string, string | number | boolean>>;

export interface RecordFormat {
  readonly name: string;
  /** Endings of file names without those of a compression, with their dot: `.csv`. */
  readonly extensions: readonly string[];
  /** @throws DataNotFound, DataFormat. */
  open(path: string, options: RecordOptions): Promise<RecordSource>;
  /** null where the format is read only. @throws InvalidConfig for fields that the format can't hold, naming them. */
  readonly create: ((path: string, fields: readonly RecordField[], options: RecordOptions) => Promise<RecordSink>) | null;
}
