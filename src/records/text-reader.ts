import { isUtf8 } from 'node:buffer';
import { MonolithError } from '../base/index.js';
import { type ByteSource, invalidUtf8, type TextEncoding, wholeUtf8 } from '../data/index.js';

const CHUNK_BYTES = 256 * 1024;

/** A piece of a text: whole characters, and where its first one stands in the decompressed file. */
export type TextChunk = { readonly text: string; readonly byte: number };

/** Reads a text in pieces of whole characters. */
export class TextReader {
  /** Byte of the first one of `carry`. */
  private position = 0;
  private carry = new Uint8Array(0);
  private ended = false;

  /** @param skip bytes of a byte order mark, which `source` still has before it. */
  constructor(
    private readonly source: ByteSource,
    private readonly path: string,
    private readonly encoding: TextEncoding,
    private skip: number,
  ) {}

  /** The next piece; null at the end. @throws RecordCorrupt, DataFormat naming the byte where the text is not of the encoding. */
  async next(): Promise<TextChunk | null> {
    while (!this.ended) {
      const bytes = Buffer.allocUnsafe(this.carry.length + CHUNK_BYTES);
      bytes.set(this.carry);
      let length = this.carry.length;
      const got = await this.source.read(bytes, length, CHUNK_BYTES);
      length += got;
      if (got === 0) this.ended = true;
      let start = 0;
      if (this.skip > 0) {
        if (length < this.skip && !this.ended) {
          this.carry = bytes.slice(0, length);
          continue;
        }
        start = Math.min(this.skip, length);
        this.position = start;
        this.skip = 0;
      }
      const all = bytes.subarray(start, length);
      const whole = this.wholeBytes(all);
      if (this.ended && whole < all.length) throw this.invalid(this.position + whole);
      const chunk = { text: this.decode(all.subarray(0, whole)), byte: this.position };
      this.carry = Uint8Array.from(all.subarray(whole));
      this.position += whole;
      if (whole > 0) return chunk;
    }
    return null;
  }

  /** Bytes that a text takes in the file. */
  byteLength(text: string): number {
    return Buffer.byteLength(text, this.encoding === 'utf-8' ? 'utf8' : this.encoding === 'latin1' ? 'latin1' : 'utf16le');
  }

  private wholeBytes(bytes: Uint8Array): number {
    switch (this.encoding) {
      case 'utf-8':
        return wholeUtf8(bytes);
      case 'latin1':
        return bytes.length;
      case 'utf-16le':
      case 'utf-16be': {
        const whole = bytes.length & ~1;
        if (whole < 2) return whole;
        const high = bytes[whole - (this.encoding === 'utf-16le' ? 1 : 2)];
        return (high & 0xfc) === 0xd8 ? whole - 2 : whole;
      }
      default:
        return this.encoding satisfies never;
    }
  }

  private decode(bytes: Buffer): string {
    switch (this.encoding) {
      case 'utf-8':
        if (!isUtf8(bytes)) throw this.invalid(this.position + invalidUtf8(bytes));
        return bytes.toString('utf8');
      case 'latin1':
        return bytes.toString('latin1');
      case 'utf-16le':
        return this.checked(bytes.toString('utf16le'));
      case 'utf-16be':
        return this.checked(Buffer.from(bytes).swap16().toString('utf16le'));
      default:
        return this.encoding satisfies never;
    }
  }

  /** A surrogate without its other half could not be written as UTF-8. */
  private checked(text: string): string {
    const at = text.search(/\p{Surrogate}/u);
    if (at >= 0) throw this.invalid(this.position + 2 * at);
    return text;
  }

  private invalid(byte: number): MonolithError {
    const hint = this.encoding === 'utf-8' ? 'latin1 takes any bytes' : 'is it of another encoding?';
    return new MonolithError(
      'DataFormat',
      `${this.path} at byte ${byte}: no valid ${this.encoding}. Set the option encoding (utf-8, utf-16le, utf-16be, latin1); ${hint}`,
      { path: this.path, byte, encoding: this.encoding },
    );
  }
}
