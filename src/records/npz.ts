// NumPy .npz files, read and written: one array a field, all of one length.
import { isUtf8 } from 'node:buffer';
import { MonolithError } from '../base/index.js';
import { fileInfo, ItemReader, type NpyArray, NpyType, openSource, parseNpzHead, readHead } from '../data/index.js';
import { BatchBuilder } from './batch-builder.js';
import { createNpz } from './npz-writer.js';
import { takeOptions } from './options.js';
import type { RecordBatch, RecordField, RecordFormat, RecordSource, ValueKind } from './record-batch.js';

const HEAD_BYTES = 256 * 1024;
const BATCH_ROWS = 2048;
const BATCH_BYTES = 4 << 20;
const MOST_INT64 = 2n ** 63n - 1n;

/**
 * Integers and bool become int64, floats of 16 and 32 bits float32, texts (U) text, bytes (S) bytes; the type of the array is kept beside, so that
 * writing gives it back. Options: `text=true` reads S as text; `uint64=text` reads unsigned integers of 64 bits as texts, where one is above 2⁶³ − 1.
 */
export const npzFormat: RecordFormat = {
  name: 'npz',
  extensions: ['.npz'],
  async open(path, options) {
    const { text = false, uint64 = 'int64' } = takeOptions('npz', options, { text: 'boolean', uint64: 'text' });
    if (uint64 !== 'int64' && uint64 !== 'text')
      throw new MonolithError('InvalidConfig', `format npz: option uint64 is ${uint64}, expected int64 or text`);
    const info = await fileInfo(path);
    if (info.compression !== 'npz') throw new MonolithError('DataFormat', `${path}: is no .npz file`, { path });
    return new NpzRecords(path, await readHead(info, HEAD_BYTES), !text, uint64 === 'text');
  },
  create: createNpz,
};

class NpzRecords implements RecordSource {
  readonly fields: readonly RecordField[];
  private readonly arrays: readonly NpyArray[];
  private readonly rowBytes: number;
  private readonly rows: number;
  private readonly headBytes: number;

  constructor(
    readonly path: string,
    head: Uint8Array,
    bytes: boolean,
    uint64AsText: boolean,
  ) {
    const layout = parseNpzHead(head, path);
    this.arrays = layout.arrays;
    this.rowBytes = layout.rowBytes;
    this.rows = layout.rows;
    this.headBytes = layout.headBytes;
    this.fields = layout.arrays.map((array) => ({
      name: array.name,
      kind: kindOf(array, bytes, uint64AsText),
      isList: array.isList,
      as: typeText(array),
    }));
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const { rowBytes, rows, fields } = this;
    const source = await openSource(await fileInfo(this.path), this.headBytes);
    try {
      const builder = new BatchBuilder(fields);
      const perBatch = Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_BYTES / Math.max(1, rowBytes))));
      const bytes = new Uint8Array(perBatch * rowBytes);
      for (let row = 0; row < rows; ) {
        const count = Math.min(perBatch, rows - row);
        for (let got = 0; got < count * rowBytes; ) {
          const more = await source.read(bytes, got, count * rowBytes - got);
          if (more === 0)
            throw new MonolithError('RecordCorrupt', `${this.path}: the rows end in row ${row + 1} of ${rows}`, { path: this.path });
          got += more;
        }
        const items = new ItemReader(bytes);
        for (let r = 0; r < count; r++) this.addRow(builder, items, r * rowBytes, row + r);
        row += count;
        yield builder.take();
      }
      // The end is what the checksums of the arrays are looked at for.
      await source.read(new Uint8Array(1), 0, 1);
    } finally {
      await source.close();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private addRow(builder: BatchBuilder, items: ItemReader, at: number, row: number): void {
    let p = at;
    this.arrays.forEach((array, column) => {
      const { width, itemBytes } = array;
      const { kind } = this.fields[column];
      builder.setPresent(column);
      for (let j = 0; j < width; j++, p += itemBytes) builder.add(column, this.item(items, array, kind, p, row));
    });
    builder.endRow();
  }

  private item(items: ItemReader, array: NpyArray, kind: ValueKind, at: number, row: number): bigint | number | string | Uint8Array {
    const { type, itemBytes, bigEndian, name } = array;
    if (type === NpyType.float) return items.number(type, itemBytes, bigEndian, at);
    if (kind === 'int64' && (itemBytes < 8 || type === NpyType.bool)) return BigInt(items.number(type, itemBytes, bigEndian, at));
    items.text(type, itemBytes, bigEndian, at);
    const bytes = Buffer.from(items.textBytes.subarray(items.textStart, items.textEnd));
    const where = `${this.path} record ${row + 1}: array ${name}`;
    if (kind === 'bytes') return bytes;
    if (type === NpyType.bytes && !isUtf8(bytes)) {
      throw new MonolithError('DataFormat', `${where}: bytes that are no text. Leave out the option text`, {
        path: this.path,
        record: row + 1,
        array: name,
      });
    }
    if (kind === 'text') return bytes.toString('utf8');
    const value = BigInt(bytes.toString('latin1'));
    if (value > MOST_INT64) {
      throw new MonolithError('DataFormat', `${where}: ${value} is above 2^63 − 1. Set the option uint64=text`, {
        path: this.path,
        record: row + 1,
        array: name,
      });
    }
    return value;
  }
}

function kindOf({ type, itemBytes }: NpyArray, bytes: boolean, uint64AsText: boolean): ValueKind {
  switch (type) {
    case NpyType.float:
      return itemBytes === 8 ? 'float64' : 'float32';
    case NpyType.bytes:
      return bytes ? 'bytes' : 'text';
    case NpyType.unicode:
      return 'text';
    case NpyType.uint:
      return itemBytes === 8 && uint64AsText ? 'text' : 'int64';
    default:
      return 'int64';
  }
}

/** The type as numpy writes it; texts without their length, which is that of the longest. */
function typeText({ type, itemBytes }: NpyArray): string {
  switch (type) {
    case NpyType.bytes:
      return '|S';
    case NpyType.unicode:
      return '<U';
    case NpyType.bool:
      return '|b1';
    default: {
      const letter = type === NpyType.float ? 'f' : type === NpyType.int ? 'i' : 'u';
      return `${itemBytes === 1 ? '|' : '<'}${letter}${itemBytes}`;
    }
  }
}
