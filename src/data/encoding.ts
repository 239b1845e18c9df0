// Which encoding the bytes of a text are in, told from its first ones.
import { isUtf8 } from 'node:buffer';

/** Encodings of texts. latin1 is ISO 8859-1: each byte is the character of its number. */
export const textEncodings = ['utf-8', 'utf-16le', 'utf-16be', 'latin1'] as const;
export type TextEncoding = (typeof textEncodings)[number];

export type SniffedEncoding = {
  readonly encoding: TextEncoding;
  /** Bytes of the byte order mark at the beginning; 0 where there is none. */
  readonly markBytes: number;
  /** What it was told by, in words. */
  readonly reason: string;
};

/** Share of zero bytes on one side of each pair, above which a text without a mark is UTF-16: text of Latin letters has nearly only such pairs. */
const ZEROS_OF_UTF16 = 0.3;
const ZEROS_OF_OTHERS = 0.02;

/**
 * A byte order mark settles it. Without one: UTF-16 where every other byte is often zero and the ones between hardly ever are; UTF-8 where
 * the bytes are valid UTF-8 (the last character may be cut off); else latin1.
 */
export function sniffEncoding(head: Uint8Array): SniffedEncoding {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf)
    return { encoding: 'utf-8', markBytes: 3, reason: 'byte order mark EF BB BF' };
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', markBytes: 2, reason: 'byte order mark FF FE' };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', markBytes: 2, reason: 'byte order mark FE FF' };
  const pairs = head.length >> 1;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < pairs; i++) {
    if (head[2 * i] === 0) even++;
    if (head[2 * i + 1] === 0) odd++;
  }
  if (pairs > 1 && odd > pairs * ZEROS_OF_UTF16 && even <= pairs * ZEROS_OF_OTHERS)
    return { encoding: 'utf-16le', markBytes: 0, reason: `${odd} of ${pairs} second bytes are zero` };
  if (pairs > 1 && even > pairs * ZEROS_OF_UTF16 && odd <= pairs * ZEROS_OF_OTHERS)
    return { encoding: 'utf-16be', markBytes: 0, reason: `${even} of ${pairs} first bytes are zero` };
  if (isUtf8(head.subarray(0, wholeUtf8(head)))) {
    const ascii = head.every((byte) => byte < 128);
    return { encoding: 'utf-8', markBytes: 0, reason: ascii ? 'ASCII so far' : 'valid UTF-8' };
  }
  return { encoding: 'latin1', markBytes: 0, reason: `byte ${invalidUtf8(head)} is no valid UTF-8` };
}

/** Bytes up to the last character that is whole, taking the text for UTF-8. */
export function wholeUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      // No character begins with these.
      if (byte < 0xc2 || byte > 0xf4) return bytes.length;
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needs > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** Position of the first byte that keeps the bytes from being UTF-8; −1 where they are. */
export function invalidUtf8(bytes: Uint8Array): number {
  if (isUtf8(bytes)) return -1;
  let low = 0;
  let high = bytes.length;
  // The longest prefix whose whole characters are valid: validity of prefixes only ever goes from yes to no.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const part = bytes.subarray(0, middle);
    if (isUtf8(part.subarray(0, wholeUtf8(part)))) low = middle;
    else high = middle;
  }
  return wholeUtf8(bytes.subarray(0, low));
}
