// Arrow IPC: the file form (Feather 2) and the stream form.
import type { DataType } from 'apache-arrow';
import { type ArrowValues, type BatchBuffers, decodeArrowColumn, leafValues } from './arrow-column.js';
import { type ArrowContents, type Batch, readArrowContents } from './arrow-contents.js';
import { type ColumnarFile, type ColumnarGroup, type FileStamp, withFile, withFileSync } from './columnar-file.js';
import { type ColumnField, type DecodedColumn, joinValues } from './columns.js';
import { decompressLz4Frame } from './lz4-frame.js';
import { guarded } from './problem.js';

/** A compressed buffer that says it is longer, or that many times longer, is refused. */
const MOST_BUFFER_BYTES = 0x7fffffff;
const MOST_RATIO = 4096;

type Decompress = (codec: number, bytes: Uint8Array, length: number) => Uint8Array;

export class ArrowFile implements ColumnarFile {
  readonly format = 'arrow';
  readonly groupName = 'record batch';
  /** Buffers of the batch that was read last. */
  private buffers = new Map<number, Uint8Array>();
  private group = -1;
  private readonly known = new Map<string, ArrowValues>();

  private constructor(
    readonly path: string,
    readonly stamp: FileStamp,
    private readonly contents: ArrowContents,
    private readonly decompress: Decompress,
  ) {}

  /** @throws DataNotFound, RecordCorrupt, DataFormat. */
  static async open(path: string): Promise<ArrowFile> {
    const { decompressZstd } = await import('hyparquet-compressors');
    const decompress: Decompress = (codec, bytes, length) =>
      codec === 0 ? decompressLz4Frame(bytes, length) : decompressZstd(bytes, new Uint8Array(length));
    return withFile(path, async (stamp, readAt) => {
      const contents = await readArrowContents(path, stamp.size, readAt);
      return new ArrowFile(path, stamp, contents, decompress);
    });
  }

  get fields(): readonly ColumnField[] {
    return this.contents.layout.leaves;
  }

  get passedOver(): readonly string[] {
    return this.contents.layout.passedOver;
  }

  get groups(): readonly ColumnarGroup[] {
    return this.contents.groups;
  }

  get rows(): number {
    return this.contents.rows;
  }

  bytesOf(group: number, columns: readonly number[]): number {
    const { batch } = this.contents.groups[group];
    const { leaves } = this.contents.layout;
    let sum = 0;
    for (const column of columns) {
      const { buffer } = leaves[column].steps[leaves[column].steps.length - 1];
      for (let i = buffer; i < Math.min(buffer + 3, batch.buffers.length); i++) sum += batch.buffers[i].length;
    }
    return sum;
  }

  valuesOf(group: number, column: number): number {
    const { steps } = this.contents.layout.leaves[column];
    return this.contents.groups[group].batch.nodes[steps[steps.length - 1].node].length;
  }

  rangeOf(): null {
    return null;
  }

  read(group: number, first: number, rows: number, columns: readonly number[]): DecodedColumn[] {
    if (group !== this.group) this.buffers.clear();
    this.group = group;
    const { batch, dictionaries } = this.contents.groups[group];
    const { leaves } = this.contents.layout;
    return withFileSync(this.path, this.stamp, (readAt) => {
      const part = `record batch ${group}`;
      const access = this.access(batch, this.buffers, readAt, dictionaries);
      return columns.map((column) => {
        const place = { path: this.path, part, column: leaves[column].name };
        return guarded(place, 'malformed', () => decodeArrowColumn(leaves[column], access, first, rows));
      });
    });
  }

  private access(
    batch: Batch,
    kept: Map<number, Uint8Array>,
    readAt: (at: number, length: number) => Uint8Array,
    dictionaries: number,
  ): BatchBuffers {
    return {
      node: (i) => batch.nodes[i],
      buffer: (i) => {
        let bytes = kept.get(i);
        if (bytes === undefined) {
          bytes = this.readBuffer(batch, i, readAt);
          kept.set(i, bytes);
        }
        return bytes;
      },
      dictionary: (id, type) => this.dictionary(id, type, dictionaries, readAt),
    };
  }

  private readBuffer(batch: Batch, i: number, readAt: (at: number, length: number) => Uint8Array): Uint8Array {
    const { offset, length } = batch.buffers[i];
    const bytes = readAt(batch.bodyAt + offset, length);
    if (bytes.length !== length) throw new Error('a buffer is cut off');
    if (batch.codec === null || length === 0) return bytes;
    if (length < 8) throw new Error('a compressed buffer without its length');
    const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
    if (size === -1) return bytes.slice(8);
    if (!(size >= 0 && size <= Math.min(MOST_BUFFER_BYTES, length * MOST_RATIO)))
      throw new Error(`a buffer of ${size} bytes out of ${length}`);
    const made = this.decompress(batch.codec, bytes.subarray(8), size);
    if (made.length !== size) throw new Error(`${made.length} bytes decompressed, ${size} expected`);
    return made;
  }

  /** The entries of a dictionary as they are at a batch: the last one of its number, and what was added to it. */
  private dictionary(id: number, type: DataType, before: number, readAt: (at: number, length: number) => Uint8Array): ArrowValues {
    const all = this.contents.dictionaries;
    let first = -1;
    const parts: number[] = [];
    for (let i = 0; i < before; i++) {
      if (all[i].id !== id) continue;
      if (!all[i].isDelta) {
        first = i;
        parts.length = 0;
      }
      parts.push(i);
    }
    if (first < 0 && parts.length === 0) throw new Error(`dictionary ${id} is not there`);
    const key = parts.join(' ');
    let found = this.known.get(key);
    if (found === undefined) {
      found = joined(parts.map((i) => this.entries(all[i].batch, type, readAt, before)));
      this.known.set(key, found);
    }
    return found;
  }

  private entries(batch: Batch, type: DataType, readAt: (at: number, length: number) => Uint8Array, before: number): ArrowValues {
    const access = this.access(batch, new Map(), readAt, before);
    const { length, nullCount } = batch.nodes[0] ?? { length: 0, nullCount: 0 };
    const { values } = leafValues({ type, node: 0, buffer: 0 }, access, length);
    if (nullCount === 0) return { values, valid: null };
    const bits = access.buffer(0);
    if (bits.length * 8 < length) throw new Error('validity is too short');
    return { values, valid: Uint8Array.from({ length }, (_, i) => (bits[i >> 3] >> (i & 7)) & 1) };
  }
}

function joined(parts: readonly ArrowValues[]): ArrowValues {
  if (parts.length === 1) return parts[0];
  const values = joinValues(parts.map((part) => part.values));
  if (parts.every(({ valid }) => valid === null)) return { values, valid: null };
  const flags = parts.flatMap(({ values: own, valid }) => [...(valid ?? new Uint8Array(own.length).fill(1))]);
  return { values, valid: Uint8Array.from(flags) };
}
