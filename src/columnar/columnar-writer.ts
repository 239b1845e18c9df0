import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { DurableWriter, fsyncFolder, MonolithError, renameDurable } from '../base/index.js';

/** What is written of a column: 64-bit integers, floats, text or bytes; one value a row, or a list of them. */
export type WriteField = {
  readonly name: string;
  readonly kind: 'int64' | 'float32' | 'float64' | 'text' | 'bytes';
  readonly isList: boolean;
};

/** Values of row r are values[offsets[r] … offsets[r + 1]); without offsets one a row. `missing` tells a row without a list from an empty list. */
export type WriteColumn = {
  readonly offsets: Uint32Array | null;
  readonly missing: Uint8Array | null;
  readonly values: BigInt64Array | Float32Array | Float64Array | readonly string[] | readonly Uint8Array[];
};

/** Writes one file: whole and in place after {@link close}, not there after {@link abort}. */
export interface ColumnarWriter {
  write(rows: number, columns: readonly WriteColumn[]): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** A file under another name until it is whole. */
export class TemporaryFile {
  private constructor(
    private readonly path: string,
    private readonly writer: DurableWriter,
  ) {}

  /** @throws DiskFull, WriteFailed. */
  static async create(path: string): Promise<TemporaryFile> {
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
    return new TemporaryFile(path, await DurableWriter.create(temporary));
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.writer.append(bytes);
  }

  async close(): Promise<void> {
    await this.writer.close();
    await renameDurable(this.writer.path, this.path);
    await fsyncFolder(dirname(this.path));
  }

  discard(): Promise<void> {
    return this.writer.discard();
  }
}

export type RowValue = bigint | number | string | Uint8Array | null | readonly (bigint | number | string | Uint8Array)[];

/** The value of one row: null where it is missing. */
export function rowValueOf({ isList, name }: WriteField, { offsets, missing, values }: WriteColumn, row: number): RowValue {
  if (missing !== null && missing[row] !== 0) return null;
  const from = offsets === null ? row : offsets[row];
  const to = offsets === null ? row + 1 : offsets[row + 1];
  if (isList) return Array.from({ length: to - from }, (_, i) => values[from + i]);
  if (to - from > 1)
    throw new MonolithError('InvalidArgument', `column "${name}": ${to - from} values in a row of a column that holds one`);
  return from === to ? null : values[from];
}

/** @throws InvalidConfig for two columns of one name. */
export function checkFields(path: string, fields: readonly WriteField[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) throw new MonolithError('InvalidConfig', `${path}: two columns have the name "${name}"`, { path, column: name });
    seen.add(name);
  }
  if (fields.length === 0) throw new MonolithError('InvalidConfig', `${path}: no columns are named`, { path });
}
