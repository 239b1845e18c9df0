import { type Cursor, MonolithError, readVarint, varintLength, writeVarint } from '../../base/index.js';
import { ROOM_BYTES } from '../../grpc/index.js';
import { copyBytes } from './copy-bytes.js';

// protos/shard_stream.proto by hand: what is encoded and decoded thousands of times a second makes no object a piece.
// Lengths in front of pieces and data are varints of four bytes, so that places are known before contents: legal, if not the shortest form.

/** Kinds of frames; see the .proto. */
export const FrameKind = {
  hello: 1,
  lookup: 2,
  lookupReadOnly: 3,
  apply: 4,
  skip: 5,
  ping: 6,
  norms: 7,
  welcome: 16,
  values: 17,
  rows: 18,
  applied: 19,
  pong: 20,
  failure: 21,
  ownNorms: 22,
} as const;

/**
 * Bytes of a frame that is cut where more is to come: what is written, on its way and read then stays in the caches of the processors, the one end
 * writes while the other reads, and a dense block (64 KiB) fits.
 */
export const FRAME_BYTES = 65 << 10;

/** Largest frame that is taken; a block (64 KiB) or a wide row may stand beyond FRAME_BYTES. */
export const MOST_FRAME_BYTES = 4 << 20;

/** Bytes of a frame around its pieces, and of a piece around its data, with what brings them into line, at most. */
const FRAME_HEAD = 64;
const PIECE_HEAD = 48;

/** Buffers of a whole frame that a writer keeps, and the size of a frame from which it takes one. */
const WHOLE_FRAME = FRAME_BYTES + FRAME_HEAD + 8;
const MOST_SPARE = 64;
const WORTH_KEEPING = FRAME_BYTES / 16;

/** Tags: field number · 8 + wire type (0 varint, 2 bytes). */
const TAG = {
  kind: 0x08,
  number: 0x10,
  sequence: 0x18,
  region: 0x20,
  step: 0x28,
  last: 0x30,
  tables: 0x3a,
  blocks: 0x42,
  hello: 0x4a,
  welcome: 0x52,
  failure: 0x5a,
  norms: 0x62,
} as const;
const PIECE_TAG = { index: 0x08, total: 0x10, start: 0x18, tableData: 0x22, blockValues: 0x12 } as const;

/**
 * Writes frames of one direction of a stream and hands each finished one to `send`. A request or answer is `begin`, any number of `table` and
 * `block`, `end`; frames are cut at about {@link FRAME_BYTES}.
 */
export class FrameWriter {
  private number = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  /** Where the frame begins, its room included. */
  private from = 0;
  private at = 0;
  private kind = 0;
  private sequence = 0;
  private region = 0;
  private step = 0;
  private ahead = 0;
  /** Where the fields of the frame itself end. */
  private headEnd = 0;

  /** Large buffers that have been sent and may be filled again: fresh ones cost page faults and garbage collections. */
  private readonly spare: Uint8Array[] = [];

  /** @param send calls `done` when it no longer looks at the message, or never; `framed` is the message behind ROOM_BYTES spare bytes. */
  constructor(private readonly send: (message: Uint8Array, done: () => void, framed: Uint8Array) => void) {}

  /** @param ahead bytes of data that will follow, about: sizes the buffers. */
  begin(kind: number, sequence: number, region: number, step: number, ahead: number): void {
    this.kind = kind;
    this.sequence = sequence;
    this.region = region;
    this.step = step;
    this.ahead = ahead;
    this.at = 0;
    this.open();
  }

  /**
   * Rows of one table: `count` elements of `width` bytes from source[offset] on, cut between elements where a frame is full.
   * @param total elements that the request has of this table.
   */
  table(index: number, total: number, source: Uint8Array, offset: number, count: number, width: number): void {
    let start = 0;
    while (start < count) {
      let fit = Math.floor((FRAME_BYTES - this.at - PIECE_HEAD) / width);
      if (fit < 1) {
        if (this.at > FRAME_HEAD) {
          this.cut();
          continue;
        }
        fit = 1;
      }
      const rows = Math.min(fit, count - start);
      const length = rows * width;
      this.room(PIECE_HEAD + length);
      const body = 1 + varintLength(index) + 1 + varintLength(total) + (start > 0 ? 1 + varintLength(start) : 0) + 1 + 4 + length;
      if (this.at === this.headEnd) this.align(source.byteOffset + offset + start * width, body - length + 5);
      this.bytes[this.at++] = TAG.tables;
      this.length4(body);
      this.varint(PIECE_TAG.index, index);
      this.varint(PIECE_TAG.total, total);
      if (start > 0) this.varint(PIECE_TAG.start, start);
      this.bytes[this.at++] = PIECE_TAG.tableData;
      this.length4(length);
      copyBytes(source, offset + start * width, this.bytes, this.at, length);
      this.at += length;
      this.ahead -= length;
      start += rows;
    }
  }

  /** A whole dense block: `length` bytes from source[offset] on. */
  block(index: number, source: Uint8Array, offset: number, length: number): void {
    if (this.at + PIECE_HEAD + length > FRAME_BYTES && this.at > FRAME_HEAD) this.cut();
    this.room(PIECE_HEAD + length);
    this.bytes[this.at++] = TAG.blocks;
    this.length4(1 + varintLength(index) + 1 + 4 + length);
    this.varint(PIECE_TAG.index, index);
    this.bytes[this.at++] = PIECE_TAG.blockValues;
    this.length4(length);
    copyBytes(source, offset, this.bytes, this.at, length);
    this.at += length;
    this.ahead -= length;
  }

  /** A field of bytes that is small or rare: hello, welcome, failure (encoded messages), norms. */
  field(name: 'hello' | 'welcome' | 'failure' | 'norms', value: Uint8Array): void {
    this.room(5 + value.length);
    this.bytes[this.at++] = TAG[name];
    this.length4(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** Sends the last frame of what `begin` began. */
  end(): void {
    this.room(2);
    this.bytes[this.at++] = TAG.last;
    this.bytes[this.at++] = 1;
    this.flush();
  }

  private cut(): void {
    this.flush();
    this.open();
  }

  private flush(): void {
    const { bytes, spare } = this;
    const done = (): void => {
      if (bytes.length === WHOLE_FRAME && spare.length < MOST_SPARE) spare.push(bytes);
    };
    this.send(bytes.subarray(this.from + ROOM_BYTES, this.at), done, bytes.subarray(this.from, this.at));
  }

  private open(): void {
    const wanted = Math.min(FRAME_BYTES, Math.max(0, this.ahead) + 4 * PIECE_HEAD) + FRAME_HEAD;
    this.bytes = wanted > WORTH_KEEPING ? (this.spare.pop() ?? Buffer.allocUnsafe(WHOLE_FRAME)) : Buffer.allocUnsafe(wanted);
    this.from = 0;
    this.at = ROOM_BYTES;
    this.varint(TAG.kind, this.kind);
    this.varint(TAG.number, ++this.number);
    if (this.sequence > 0) this.varint(TAG.sequence, this.sequence);
    if (this.region > 0) this.varint(TAG.region, this.region);
    if (this.step > 0) this.varint(TAG.step, this.step);
    this.headEnd = this.at;
  }

  /** Moves a frame that has no piece yet so that data which follow in `ahead` bytes stand as at `address` mod 8: they are copied faster then. */
  private align(address: number, ahead: number): void {
    const skew = (address - this.bytes.byteOffset - this.at - ahead) & 7;
    if (skew === 0) return;
    this.bytes.copyWithin(this.from + skew, this.from, this.at);
    this.from += skew;
    this.at += skew;
    this.headEnd = this.at;
  }

  private room(bytes: number): void {
    if (this.at + bytes + 2 <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.at + bytes + FRAME_HEAD, Math.min(2 * this.bytes.length, FRAME_BYTES + FRAME_HEAD)));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  private varint(tag: number, value: number): void {
    this.bytes[this.at++] = tag;
    if (value < 128) this.bytes[this.at++] = value;
    else this.at = writeVarint(value, this.bytes, this.at);
  }

  private length4(value: number): void {
    const { bytes } = this;
    bytes[this.at++] = (value & 127) | 128;
    bytes[this.at++] = ((value >>> 7) & 127) | 128;
    bytes[this.at++] = ((value >>> 14) & 127) | 128;
    bytes[this.at++] = value >>> 21;
  }
}

/** Pieces of a frame, as places in its bytes. `count` of each array are valid. */
export class PieceList {
  count = 0;
  index = new Int32Array(16);
  total = new Int32Array(16);
  start = new Int32Array(16);
  offset = new Int32Array(16);
  length = new Int32Array(16);

  add(): number {
    if (this.count === this.index.length) {
      for (const name of ['index', 'total', 'start', 'offset', 'length'] as const) {
        const larger = new Int32Array(this.count * 2);
        larger.set(this[name]);
        this[name] = larger;
      }
    }
    const at = this.count++;
    this.index[at] = 0;
    this.total[at] = 0;
    this.start[at] = 0;
    this.offset[at] = 0;
    this.length[at] = 0;
    return at;
  }
}

/** Reads frames in place; one object serves any number of them, one after another. */
export class FrameReader {
  kind = 0;
  number = 0;
  sequence = 0;
  region = 0;
  step = 0;
  last = false;
  /** The frame; pieces point into it. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly tables = new PieceList();
  readonly blocks = new PieceList();
  /** Encoded hello, welcome, failure; norms. Null where absent. */
  hello: Uint8Array | null = null;
  welcome: Uint8Array | null = null;
  failure: Uint8Array | null = null;
  norms: Uint8Array | null = null;
  private readonly cursor: Cursor = { offset: 0 };

  /** @throws RecordCorrupt for bytes that are not a frame. */
  read(message: Uint8Array): void {
    const { cursor } = this;
    this.bytes = message;
    this.kind = this.number = this.sequence = this.region = this.step = 0;
    this.last = false;
    this.tables.count = this.blocks.count = 0;
    this.hello = this.welcome = this.failure = this.norms = null;
    cursor.offset = 0;
    const end = message.length;
    while (cursor.offset < end) {
      const tag = readVarint(message, cursor, end);
      switch (tag) {
        case TAG.kind:
          this.kind = readVarint(message, cursor, end);
          break;
        case TAG.number:
          this.number = readVarint(message, cursor, end);
          break;
        case TAG.sequence:
          this.sequence = readVarint(message, cursor, end);
          break;
        case TAG.region:
          this.region = readVarint(message, cursor, end);
          break;
        case TAG.step:
          this.step = readVarint(message, cursor, end);
          break;
        case TAG.last:
          this.last = readVarint(message, cursor, end) !== 0;
          break;
        case TAG.tables:
          this.piece(this.tables, PIECE_TAG.tableData, end);
          break;
        case TAG.blocks:
          this.piece(this.blocks, PIECE_TAG.blockValues, end);
          break;
        case TAG.hello:
          this.hello = fieldBytes(message, cursor, end);
          break;
        case TAG.welcome:
          this.welcome = fieldBytes(message, cursor, end);
          break;
        case TAG.failure:
          this.failure = fieldBytes(message, cursor, end);
          break;
        case TAG.norms:
          this.norms = fieldBytes(message, cursor, end);
          break;
        default:
          skipField(message, cursor, tag, end);
      }
    }
  }

  private piece(list: PieceList, dataTag: number, end: number): void {
    const { bytes, cursor } = this;
    const length = readVarint(bytes, cursor, end);
    const stop = endOf(cursor.offset, length, end);
    const at = list.add();
    while (cursor.offset < stop) {
      const tag = readVarint(bytes, cursor, stop);
      if (tag === dataTag) {
        const size = readVarint(bytes, cursor, stop);
        endOf(cursor.offset, size, stop);
        list.offset[at] = cursor.offset;
        list.length[at] = size;
        cursor.offset += size;
      } else if (tag === PIECE_TAG.index) list.index[at] = int31(readVarint(bytes, cursor, stop));
      else if (tag === PIECE_TAG.total) list.total[at] = int31(readVarint(bytes, cursor, stop));
      else if (tag === PIECE_TAG.start) list.start[at] = int31(readVarint(bytes, cursor, stop));
      else skipField(bytes, cursor, tag, stop);
    }
  }
}

function int31(value: number): number {
  if (value > 0x7fffffff) throw new MonolithError('RecordCorrupt', `frame: a number of a piece is ${value}, expected less than 2^31`);
  return value;
}

/** Where `length` bytes from `start` on end. @throws RecordCorrupt if that is beyond `end`. */
function endOf(start: number, length: number, end: number): number {
  if (start + length > end) {
    throw new MonolithError('RecordCorrupt', `frame: a field of ${length} bytes at byte ${start} exceeds the ${end - start} bytes left`);
  }
  return start + length;
}

/** The bytes of a length-delimited field, as a view; moves the cursor behind them. */
export function fieldBytes(bytes: Uint8Array, cursor: Cursor, end: number): Uint8Array {
  const length = readVarint(bytes, cursor, end);
  const stop = endOf(cursor.offset, length, end);
  const view = bytes.subarray(cursor.offset, stop);
  cursor.offset = stop;
  return view;
}

/** Passes over a field that this version does not know. */
export function skipField(bytes: Uint8Array, cursor: Cursor, tag: number, end: number): void {
  switch (tag & 7) {
    case 0:
      readVarint(bytes, cursor, end);
      return;
    case 1:
      cursor.offset = endOf(cursor.offset, 8, end);
      return;
    case 2:
      fieldBytes(bytes, cursor, end);
      return;
    case 5:
      cursor.offset = endOf(cursor.offset, 4, end);
      return;
    default:
      throw new MonolithError('RecordCorrupt', `frame: wire type ${tag & 7} of field ${tag >>> 3} is not known`);
  }
}
