import { halfFloat, NpyType } from './npy.js';

/** Reads items of arrays out of bytes. */
export class ItemReader {
  /** After {@link text}: where it stands. */
  textBytes: Uint8Array;
  textStart = 0;
  textEnd = 0;
  private readonly view: DataView;
  private scratch = new Uint8Array(64);

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.textBytes = bytes;
  }

  /** A number; integers beyond 2⁵³ are the nearest one. */
  number(type: number, size: number, bigEndian: boolean, at: number): number {
    const { view } = this;
    const little = !bigEndian;
    switch (type) {
      case NpyType.float:
        return size === 8 ? view.getFloat64(at, little) : size === 4 ? view.getFloat32(at, little) : halfFloat(view.getUint16(at, little));
      case NpyType.int:
        return size === 8
          ? Number(view.getBigInt64(at, little))
          : size === 4
            ? view.getInt32(at, little)
            : size === 2
              ? view.getInt16(at, little)
              : view.getInt8(at);
      case NpyType.uint:
        return size === 8
          ? Number(view.getBigUint64(at, little))
          : size === 4
            ? view.getUint32(at, little)
            : size === 2
              ? view.getUint16(at, little)
              : view.getUint8(at);
      default:
        return view.getUint8(at) === 0 ? 0 : 1;
    }
  }

  /** Bytes of an item as text, without the zeros that fill it up. */
  text(type: number, size: number, bigEndian: boolean, at: number): void {
    if (type === NpyType.bytes) {
      let end = at + size;
      while (end > at && this.bytes[end - 1] === 0) end--;
      this.textBytes = this.bytes;
      this.textStart = at;
      this.textEnd = end;
      return;
    }
    if (type === NpyType.unicode) {
      this.unicode(size, bigEndian, at);
      return;
    }
    const digits =
      size === 8 && type !== NpyType.float
        ? String(type === NpyType.int ? this.view.getBigInt64(at, !bigEndian) : this.view.getBigUint64(at, !bigEndian))
        : String(this.number(type, size, bigEndian, at));
    for (let i = 0; i < digits.length; i++) this.scratch[i] = digits.charCodeAt(i);
    this.take(digits.length);
  }

  /** Code points of 32 bits to UTF-8; what is no character becomes the replacement character. */
  private unicode(size: number, bigEndian: boolean, at: number): void {
    let end = size;
    while (end > 0 && this.view.getUint32(at + end - 4, !bigEndian) === 0) end -= 4;
    if (this.scratch.length < end) this.scratch = new Uint8Array(end * 2);
    const { scratch } = this;
    let n = 0;
    for (let i = 0; i < end; i += 4) {
      let code = this.view.getUint32(at + i, !bigEndian);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
      if (code < 0x80) scratch[n++] = code;
      else if (code < 0x800) {
        scratch[n++] = 0xc0 | (code >> 6);
        scratch[n++] = 0x80 | (code & 63);
      } else {
        if (code < 0x10000) scratch[n++] = 0xe0 | (code >> 12);
        else {
          scratch[n++] = 0xf0 | (code >> 18);
          scratch[n++] = 0x80 | ((code >> 12) & 63);
        }
        scratch[n++] = 0x80 | ((code >> 6) & 63);
        scratch[n++] = 0x80 | (code & 63);
      }
    }
    this.take(n);
  }

  private take(length: number): void {
    this.textBytes = this.scratch;
    this.textStart = 0;
    this.textEnd = length;
  }
}
