// An .npz file as a stream of rows, so that it is read like any file of records: a head that says what a row is, then the rows, each the items of
// all arrays one behind the other, as they are stored.
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { MonolithError } from '../../base/index.js';
import { InputBytes } from '../compression/input-bytes.js';
import { crc32 } from './crc32.js';
import { NPY_HEAD, type NpyArray, parseNpyHeader } from './npy.js';
import { type ZipEntry, zipEntries } from './zip.js';

const MAGIC = 'NPZROWS1';
/** What is looked at of a file (data/inspect) holds more. */
const MOST_HEAD = 192 * 1024;
const MOST_ROW = 64 << 20;
/** Bytes of rows that are put together at a time. */
const PIECE_BYTES = 256 * 1024;

/** What the rows of an .npz file are. */
export type NpzRows = {
  readonly arrays: readonly NpyArray[];
  readonly rows: number;
  readonly rowBytes: number;
  readonly headBytes: number;
};

/** Whether these are the first bytes of a zip file whose first entry is an array. */
export function isNpz(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (bytes.length < 31 || bytes.readUInt32LE(0) !== 0x04034b50) return false;
  return bytes.toString('latin1', 30, 30 + bytes.readUInt16LE(26)).endsWith('.npy');
}

/** Reads what {@link NpzSource} puts before the rows. @throws DataFormat where `head` does not begin with it. */
export function parseNpzHead(head: Uint8Array, path: string): NpzRows {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  const length = bytes.length >= 12 ? bytes.readUInt32LE(8) : 0;
  if (bytes.toString('latin1', 0, 8) !== MAGIC || length > bytes.length - 12)
    throw new MonolithError('DataFormat', `${path}: is no .npz file`, { path });
  const arrays = JSON.parse(bytes.toString('utf8', 12, 12 + length)) as NpyArray[];
  return rowsOf(arrays, 12 + length);
}

function rowsOf(arrays: readonly NpyArray[], headBytes: number): NpzRows {
  return { arrays, rows: arrays[0]?.rows ?? 0, rowBytes: arrays.reduce((sum, array) => sum + array.itemBytes * array.width, 0), headBytes };
}

function headOf(arrays: readonly NpyArray[]): Buffer {
  const text = Buffer.from(JSON.stringify(arrays), 'utf8');
  const start = Buffer.alloc(12);
  start.write(MAGIC, 'latin1');
  start.writeUInt32LE(text.length, 8);
  return Buffer.concat([start, text]);
}

/** The bytes of one array, from one row on. */
class Member {
  private readonly input: InputBytes;
  private readonly stream: Readable;
  private crc = 0;

  constructor(
    private readonly path: string,
    private readonly entry: ZipEntry,
    readonly array: NpyArray,
  ) {
    const { start, storedBytes, method } = entry;
    const stored = createReadStream(path, { start, end: start + storedBytes - 1 });
    if (method === 0) this.stream = stored;
    else {
      this.stream = createInflateRaw();
      pipeline(stored, this.stream as ReturnType<typeof createInflateRaw>, () => {});
    }
    this.input = new InputBytes(this.stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>);
  }

  /** The next bytes, of the array with its header. @throws RecordCorrupt where they are not there. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.next(count);
    if (bytes.length < count) throw this.corrupt('is cut off');
    this.crc = crc32(bytes, this.crc);
    return bytes;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.take(Math.min(left, PIECE_BYTES))).length;
  }

  /** After the last item. @throws RecordCorrupt. */
  async check(): Promise<void> {
    if ((await this.next(1)).length > 0) throw this.corrupt('is longer than its shape says');
    if (this.crc !== this.entry.crc) throw this.corrupt('has a wrong checksum');
  }

  private next(count: number): Promise<Uint8Array> {
    return this.input.take(count).catch((error: unknown) => {
      throw this.corrupt(`is damaged (${error instanceof Error ? error.message : String(error)})`);
    });
  }

  close(): void {
    this.stream.destroy();
  }

  private corrupt(what: string): MonolithError {
    const { path, array, input } = this;
    return new MonolithError(
      'RecordCorrupt',
      `${path}: array ${array.name} ${what} at byte ${input.position} of its own. Fetch the file again`,
      {
        path,
        array: array.name,
        byte: input.position,
      },
    );
  }
}

/** The arrays of an .npz file with their entries. @throws RecordCorrupt, DataFormat. */
async function openArrays(path: string, handle: FileHandle): Promise<{ entries: ZipEntry[]; arrays: NpyArray[] }> {
  const { size } = await handle.stat();
  const entries = await zipEntries(handle, path, size);
  const arrays: NpyArray[] = [];
  const names = new Set<string>();
  for (const entry of entries) {
    const name = entry.name.replace(/\.npy$/, '');
    if (names.has(name)) throw new MonolithError('DataFormat', `${path}: array ${name} stands twice in it`, { path, array: name });
    names.add(name);
    if (entry.storedBytes === 0) throw new MonolithError('DataFormat', `${path}: array ${name} is empty`, { path, array: name });
    const array = parseNpyHeader(await entryHead(path, entry), name, path);
    const expected = array.headerBytes + array.rows * array.width * array.itemBytes;
    if (expected !== entry.bytes) {
      throw new MonolithError('RecordCorrupt', `${path}: array ${name} has ${entry.bytes} bytes, its shape wants ${expected}`, {
        path,
        array: name,
      });
    }
    const [first] = arrays;
    if (first !== undefined && first.rows !== array.rows) {
      throw new MonolithError(
        'DataFormat',
        `${path}: array ${name} has ${array.rows} rows, array ${first.name} has ${first.rows}. The arrays of a file of records are of one length`,
        { path, array: name },
      );
    }
    arrays.push(array);
  }
  const { rowBytes } = rowsOf(arrays, 0);
  if (rowBytes > MOST_ROW)
    throw new MonolithError('DataFormat', `${path}: a row has ${rowBytes} bytes, at most ${MOST_ROW} are read`, { path });
  if (arrays.length === 0) throw new MonolithError('DataFormat', `${path}: no array is in it`, { path });
  return { entries, arrays };
}

async function entryHead(path: string, entry: ZipEntry): Promise<Uint8Array> {
  const stub = { name: entry.name } as NpyArray;
  const member = new Member(path, entry, stub);
  try {
    return Uint8Array.from(await member.take(Math.min(entry.bytes, NPY_HEAD)));
  } finally {
    member.close();
  }
}

/** The head and the rows of an .npz file, from a byte of that stream on. */
export class NpzSource {
  private piece: Uint8Array;
  private row: number;
  /** Bytes of the first row that come before the place where reading begins. */
  private skipInRow: number;
  private members: readonly Member[] | null = null;

  private constructor(
    private readonly path: string,
    private readonly entries: readonly ZipEntry[],
    private readonly layout: NpzRows,
    head: Uint8Array,
    offset: number,
  ) {
    this.piece = head.subarray(Math.min(offset, head.length));
    const past = Math.max(0, offset - head.length);
    this.row = layout.rowBytes === 0 ? layout.rows : Math.min(layout.rows, Math.floor(past / layout.rowBytes));
    this.skipInRow = layout.rowBytes === 0 ? 0 : past - this.row * layout.rowBytes;
  }

  static async open(path: string, offset: number): Promise<NpzSource> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      throw new MonolithError('DataNotFound', `${path}: can't be opened (${error.code ?? error.message})`, { path }, { cause: error });
    });
    try {
      const { entries, arrays } = await openArrays(path, handle);
      const head = headOf(arrays);
      if (head.length > MOST_HEAD) throw new MonolithError('DataFormat', `${path}: ${arrays.length} arrays are too many`, { path });
      return new NpzSource(path, entries, rowsOf(arrays, head.length), head, offset);
    } finally {
      await handle.close();
    }
  }

  /** Up to `most` bytes into into[at …]; 0 at the end. */
  async read(into: Uint8Array, at: number, most: number): Promise<number> {
    while (this.piece.length === 0) {
      if (this.row >= this.layout.rows || this.layout.rowBytes === 0) return 0;
      this.piece = await this.nextRows();
    }
    const count = Math.min(most, this.piece.length);
    into.set(this.piece.subarray(0, count), at);
    this.piece = this.piece.subarray(count);
    return count;
  }

  async close(): Promise<void> {
    for (const member of this.members ?? []) member.close();
  }

  private async nextRows(): Promise<Uint8Array> {
    const { layout } = this;
    this.members ??= await this.openMembers();
    const count = Math.min(layout.rows - this.row, Math.max(1, Math.floor(PIECE_BYTES / layout.rowBytes)));
    const rows = new Uint8Array(count * layout.rowBytes);
    let at = 0;
    for (const member of this.members) {
      const bytes = member.array.itemBytes * member.array.width;
      const items = await member.take(count * bytes);
      for (let r = 0; r < count; r++) rows.set(items.subarray(r * bytes, (r + 1) * bytes), r * layout.rowBytes + at);
      at += bytes;
    }
    this.row += count;
    if (this.row === layout.rows) for (const member of this.members) await member.check();
    const skip = this.skipInRow;
    this.skipInRow = 0;
    return rows.subarray(skip);
  }

  private async openMembers(): Promise<Member[]> {
    const { path, entries, layout, row } = this;
    const members = layout.arrays.map((array, i) => new Member(path, entries[i], array));
    for (const member of members) await member.skip(member.array.headerBytes + row * member.array.itemBytes * member.array.width);
    return members;
  }
}
