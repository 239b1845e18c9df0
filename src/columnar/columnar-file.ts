import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { MonolithError } from '../base/index.js';
import type { ColumnField, DecodedColumn } from './columns.js';

/** Formats that are read by position: their files have a table of contents. */
export const columnarFormats = ['parquet', 'arrow'] as const;
export type ColumnarFormat = (typeof columnarFormats)[number];

/** Rows that are stored together: a row group, or a record batch. */
export type ColumnarGroup = {
  readonly rows: number;
  /** Rows of the file before it. */
  readonly firstRow: number;
  /** Bytes as stored, of all columns. */
  readonly bytes: number;
};

/** Least and greatest value of a column in a group, as bytes or whole numbers; `exact` where these values occur. */
export type ColumnRange = {
  readonly least: Uint8Array | bigint;
  readonly greatest: Uint8Array | bigint;
  readonly exact: boolean;
  readonly hasMissing: boolean;
};

/** A file whose table of contents has been read and checked. Nothing is open between the calls. */
export interface ColumnarFile {
  readonly path: string;
  readonly stamp: FileStamp;
  readonly format: ColumnarFormat;
  readonly fields: readonly ColumnField[];
  /** Columns that can't be read, each with the reason; they are no fields. */
  readonly passedOver: readonly string[];
  readonly groups: readonly ColumnarGroup[];
  readonly rows: number;
  /** What a group is called in messages. */
  readonly groupName: string;
  /** Bytes that the columns of a group take when decompressed, about. */
  bytesOf(group: number, columns: readonly number[]): number;
  /** Values of a column in a group, nulls included. */
  valuesOf(group: number, column: number): number;
  /** What is known of the values of a column in a group without reading them. */
  rangeOf(group: number, column: number): ColumnRange | null;
  /**
   * Rows [first, first + rows) of a group. Going forwards costs nothing twice; going back begins the group anew.
   * @throws RecordCorrupt, DataFormat, DataNotFound: name file, group and column.
   */
  read(group: number, first: number, rows: number, columns: readonly number[]): DecodedColumn[];
}

/** What tells whether a file is still the one that was opened. */
export type FileStamp = { readonly size: number; readonly mtimeMs: number };

function notOpened(path: string, error: unknown): MonolithError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new MonolithError('DataNotFound', `${path}: can't be opened (${code ?? message})`, { path }, { cause: error });
}

export function fileChanged(path: string): MonolithError {
  const hint = 'Write data under another name and rename them when whole';
  return new MonolithError('DataFormat', `${path}: changed while it was read. ${hint}`, { path });
}

/** Opens a file for the time of `work`. */
export async function withFile<T>(
  path: string,
  work: (stamp: FileStamp, readAt: (at: number, length: number) => Promise<Uint8Array>) => Promise<T>,
): Promise<T> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw notOpened(path, error);
  });
  try {
    const { size, mtimeMs } = await handle.stat();
    return await work({ size, mtimeMs }, async (at, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - at)));
      for (let got = 0; got < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, got, bytes.length - got, at + got);
        if (bytesRead === 0) return bytes.subarray(0, got);
        got += bytesRead;
      }
      return bytes;
    });
  } finally {
    await handle.close();
  }
}

/** The same at once, for a file that is still what it was. @throws DataFormat where it has changed. */
export function withFileSync<T>(path: string, stamp: FileStamp, work: (readAt: (at: number, length: number) => Uint8Array) => T): T {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw notOpened(path, error);
  }
  try {
    const { size, mtimeMs } = fstatSync(fd);
    if (size !== stamp.size || mtimeMs !== stamp.mtimeMs) {
      throw fileChanged(path);
    }
    return work((at, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - at)));
      for (let got = 0; got < bytes.length; ) {
        const more = readSync(fd, bytes, got, bytes.length - got, at + got);
        if (more === 0) return bytes.subarray(0, got);
        got += more;
      }
      return bytes;
    });
  } finally {
    closeSync(fd);
  }
}
