import type { FileHandle } from 'node:fs/promises';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { MonolithError, makeFolderDurable } from '../base/index.js';
import { crc32 } from '../data/index.js';
import type { FieldValue } from './batch-builder.js';
import { takeOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { RecordBatch, RecordColumn, RecordField, RecordOptions, RecordSink } from './record-batch.js';

const PIECE_BYTES = 1 << 20;
/** Zip files without their 64-bit extension end here. */
const MOST_BYTES = 0xffffffff;
const MOST_WIDTH = 1 << 20;
/** 1 January 1980, the first day that a zip file knows, as numpy has it. */
const DOS_DATE = 0x21;

/**
 * Writes an .npz file. Integers, floats and bool keep the type that they had in another .npz file, else they are <i8, <f4 or <f8; texts are <U, bytes |S,
 * as long as the longest. Lists of one length are matrices. The columns are gathered in a folder of their own beside the file until it is
 * closed. Option `compressed=true`: deflate.
 */
export async function createNpz(path: string, fields: readonly RecordField[], options: RecordOptions): Promise<RecordSink> {
  const { compressed = false } = takeOptions('npz', options, { compressed: 'boolean' });
  const wrong = fields.filter(({ name }) => name === '' || /[/\\\0]/.test(name)).map(({ name }) => name);
  if (wrong.length > 0)
    throw new MonolithError('InvalidConfig', `format npz: names of arrays are names of files: ${wrong.join(', ')}`, { fields: wrong });
  const types = fields.map(npyTypeOf);
  await makeFolderDurable(dirname(path));
  const output = await OutputFile.create(path);
  if (output.compresses) {
    await output.abort();
    throw new MonolithError('InvalidConfig', `${path}: an .npz file is compressed inside, by the option compressed=true`, { path });
  }
  const folder = await mkdtemp(join(dirname(path), '.npz-'));
  try {
    const columns = await Promise.all(
      fields.map(async (field, i) => new SpooledColumn(field, types[i], await open(join(folder, String(i)), 'w+'))),
    );
    return new NpzSink(path, output, folder, columns, compressed);
  } catch (error) {
    await output.abort();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Letter and bytes of an item; bytes 0: texts, as long as the longest. */
type ItemType = { readonly letter: 'i' | 'u' | 'f' | 'b' | 'U' | 'S'; readonly bytes: number };

function npyTypeOf({ kind, as }: RecordField): ItemType {
  const match = /^[<|]([iufb])(\d)$/.exec(as ?? '');
  const bytes = Number(match?.[2]);
  const letter = match?.[1];
  if (kind === 'int64' && (letter === 'i' || letter === 'u' || letter === 'b')) return { letter, bytes };
  if (kind === 'float32' && letter === 'f' && bytes <= 4) return { letter, bytes };
  if (kind === 'text' && as === '<u8') return { letter: 'u', bytes: 8 };
  switch (kind) {
    case 'int64':
      return as === 'bool' ? { letter: 'b', bytes: 1 } : { letter: 'i', bytes: 8 };
    case 'float32':
      return { letter: 'f', bytes: 4 };
    case 'float64':
      return { letter: 'f', bytes: 8 };
    case 'text':
      return { letter: as === '|S' ? 'S' : 'U', bytes: 0 };
    case 'bytes':
      return { letter: 'S', bytes: 0 };
    default:
      return kind satisfies never;
  }
}

/** The items of one field in a file: numbers as they will stand in the array, texts behind their length. */
class SpooledColumn {
  /** Items of each row, −1 before the first. */
  width = -1;
  rows = 0;
  private longest = 0;
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;

  constructor(
    readonly field: RecordField,
    private readonly type: ItemType,
    readonly file: FileHandle,
  ) {}

  /** Bytes of an item in the array. */
  get itemBytes(): number {
    const { letter, bytes } = this.type;
    return bytes > 0 ? bytes : Math.max(1, this.longest) * (letter === 'U' ? 4 : 1);
  }

  get header(): Buffer {
    const { letter, bytes } = this.type;
    const descr =
      bytes > 0 ? `${bytes === 1 ? '|' : '<'}${letter}${bytes}` : `${letter === 'S' ? '|' : '<'}${letter}${Math.max(1, this.longest)}`;
    const shape = this.field.isList ? `(${this.rows}, ${Math.max(0, this.width)})` : `(${this.rows},)`;
    const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
    const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
    const head = Buffer.alloc(length, ' ');
    head.write('\x93NUMPY\x01\x00', 'latin1');
    head.writeUInt16LE(length - 10, 8);
    head.write(dict, 10, 'latin1');
    head[length - 1] = 10;
    return head;
  }

  async add(column: RecordColumn, rows: number): Promise<void> {
    for (let r = 0; r < rows; r++) {
      const from = column.offsets === null ? r : column.offsets[r];
      const to = column.offsets === null ? r + 1 : column.offsets[r + 1];
      const where = `record ${this.rows + 1}: field "${this.field.name}"`;
      if (column.missing !== null && column.missing[r] === 1)
        throw unfit(`${where} is missing, and arrays have a value in every row`, this.field.name);
      if (this.width < 0) this.width = to - from;
      if (to - from !== this.width)
        throw unfit(`${where} has ${to - from} values, those before have ${this.width}; arrays have rows of one length`, this.field.name);
      if (this.width > MOST_WIDTH) throw unfit(`${where} has ${this.width} values`, this.field.name);
      for (let i = from; i < to; i++) this.put(column.values[i], where);
      this.rows++;
    }
    if (this.pendingBytes >= PIECE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.pendingBytes === 0) return;
    const all = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    for (let at = 0; at < all.length; ) at += (await this.file.write(all, at)).bytesWritten;
  }

  /** The items as they stand in the array, piece by piece. */
  async *items(): AsyncGenerator<Uint8Array> {
    const { type, itemBytes } = this;
    const stream = this.file.createReadStream({ start: 0, autoClose: false, highWaterMark: PIECE_BYTES });
    if (type.bytes > 0) {
      yield* stream as AsyncIterable<Uint8Array>;
      return;
    }
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const made: Buffer[] = [];
      let at = 0;
      while (bytes.length - at >= 4 && bytes.length - at - 4 >= bytes.readUInt32LE(at)) {
        const end = at + 4 + bytes.readUInt32LE(at);
        made.push(fixedText(bytes.subarray(at + 4, end), type.letter === 'U', itemBytes));
        at = end;
      }
      rest = bytes.subarray(at);
      if (made.length > 0) yield Buffer.concat(made);
    }
  }

  private put(value: FieldValue, where: string): void {
    const { letter, bytes } = this.type;
    if (bytes === 0) {
      const text = typeof value === 'string' ? Buffer.from(value, 'utf8') : (value as Uint8Array);
      if (text.length > 0 && text[text.length - 1] === 0)
        throw unfit(`${where} ends in a zero byte, which arrays of texts do not keep`, this.field.name);
      this.longest = Math.max(this.longest, letter === 'U' && typeof value === 'string' ? [...value].length : text.length);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      this.keep(length);
      this.keep(text);
      return;
    }
    const item = Buffer.alloc(bytes);
    if (letter === 'f') {
      if (bytes === 8) item.writeDoubleLE(value as number);
      else if (bytes === 4) item.writeFloatLE(value as number);
      else item.writeUInt16LE(halfBits(value as number, where, this.field.name));
    } else {
      const whole = BigInt(value as bigint | string);
      const bits = letter === 'b' ? 1 : bytes * 8;
      const fits = letter === 'i' ? BigInt.asIntN(bits, whole) === whole : BigInt.asUintN(bits, whole) === whole;
      if (!fits) throw unfit(`${where} is ${whole}, which ${letter === 'b' ? 'bool' : `${letter}${bytes}`} does not hold`, this.field.name);
      for (let i = 0, left = BigInt.asUintN(64, whole); i < bytes; i++, left >>= 8n) item[i] = Number(left & 255n);
    }
    this.keep(item);
  }

  private keep(bytes: Uint8Array): void {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
  }
}

function fixedText(text: Buffer, unicode: boolean, itemBytes: number): Buffer {
  const item = Buffer.alloc(itemBytes);
  if (!unicode) {
    text.copy(item);
    return item;
  }
  let at = 0;
  for (const c of text.toString('utf8')) at = item.writeUInt32LE(c.codePointAt(0) ?? 0, at);
  return item;
}

/** The half float that a number is. Only what a half float held before comes here, so nothing is rounded. */
function halfBits(value: number, where: string, field: string): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  const exponent = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  const fraction = size / 2 ** (exponent - 10);
  if (!Number.isInteger(fraction) || fraction >= 2048 || exponent > 15) throw unfit(`${where} is ${value}, which f2 does not hold`, field);
  return sign | (fraction < 1024 ? fraction : ((exponent + 15) << 10) | (fraction - 1024));
}

function unfit(what: string, field: string): MonolithError {
  return new MonolithError('InvalidConfig', `format npz: ${what}`, { field });
}

class NpzSink implements RecordSink {
  private offset = 0;
  private done = false;

  constructor(
    private readonly path: string,
    private readonly output: OutputFile,
    private readonly folder: string,
    private readonly columns: readonly SpooledColumn[],
    private readonly compressed: boolean,
  ) {}

  async write(batch: RecordBatch): Promise<void> {
    for (const [i, column] of this.columns.entries()) await column.add(batch.columns[i], batch.rows);
  }

  async close(): Promise<void> {
    if (this.done) return;
    try {
      const entries: Buffer[] = [];
      for (const column of this.columns) entries.push(await this.member(column));
      const start = this.offset;
      for (const entry of entries) await this.append(entry);
      const end = Buffer.alloc(22);
      end.writeUInt32LE(0x06054b50, 0);
      end.writeUInt16LE(entries.length, 8);
      end.writeUInt16LE(entries.length, 10);
      end.writeUInt32LE(this.offset - start, 12);
      end.writeUInt32LE(start, 16);
      await this.append(end);
      await this.tidy();
      await this.output.close();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.tidy();
    await this.output.abort();
  }

  private async tidy(): Promise<void> {
    if (this.done) return;
    this.done = true;
    for (const { file } of this.columns) await file.close().catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Writes one array; its entry of the directory. */
  private async member(column: SpooledColumn): Promise<Buffer> {
    await column.flush();
    const name = Buffer.from(`${column.field.name}.npy`, 'utf8');
    const start = this.offset;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(0x800, 6);
    local.writeUInt16LE(this.compressed ? 8 : 0, 8);
    local.writeUInt16LE(DOS_DATE, 12);
    local.writeUInt16LE(name.length, 26);
    await this.append(Buffer.concat([local, name]));
    const dataStart = this.offset;
    let crc = 0;
    let bytes = 0;
    const piece = async (data: Uint8Array, last: boolean): Promise<void> => {
      crc = crc32(data, crc);
      bytes += data.length;
      if (!this.compressed) await this.append(data);
      // Each piece ends at a byte; the last one ends the stream.
      else await this.append(last ? deflateRawSync(data) : deflateRawSync(data, { finishFlush: 2 }));
    };
    await piece(column.header, false);
    for await (const items of column.items()) await piece(items, false);
    if (this.compressed) await piece(new Uint8Array(0), true);
    if (bytes > MOST_BYTES || this.offset > MOST_BYTES) {
      throw new MonolithError('InvalidConfig', `${this.path}: the array ${column.field.name} goes beyond 4 GiB; write several files`, {
        path: this.path,
      });
    }
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(this.offset - dataStart, 18);
    local.writeUInt32LE(bytes, 22);
    await this.output.patch(start, local);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    local.copy(entry, 6, 4, 28);
    entry.writeUInt32LE(start, 42);
    return Buffer.concat([entry, name]);
  }

  private async append(bytes: Uint8Array): Promise<void> {
    await this.output.write(bytes);
    this.offset += bytes.length;
  }
}
