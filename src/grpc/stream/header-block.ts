import { MOST_HEADER_BYTES, Reason, WireError } from './wire-format.js';

/** Header fields by name, in lower case. */
export type Fields = ReadonlyMap<string, string>;

/** First byte of a field: literal, in no table; the second: and no relay may put it in one. */
const LITERAL = 0x00;
const LITERAL_NEVER = 0x10;
const NAME = /^:?[a-z0-9!#$%&'*+.^_`|~-]+$/;
const FORBIDDEN = /[\0\r\n]/;
/** A length of up to 2^21 takes no more bytes than this behind its first. */
const MOST_LENGTH_BYTES = 3;

/**
 * Fields as HPACK literals without tables and without Huffman codes (RFC 7541, 6.2.2, 6.2.3): nothing to keep between two blocks.
 * Values are latin1.
 */
export function encodeFields(fields: Iterable<readonly [string, string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    parts.push(Buffer.of(name === 'authorization' ? LITERAL_NEVER : LITERAL), ...text(name), ...text(value));
  }
  return Buffer.concat(parts);
}

function text(value: string): [Buffer, Buffer] {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return [Buffer.of(bytes.length), bytes];
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return [Buffer.from(length), bytes];
}

/** @throws WireError for anything but what {@link encodeFields} writes, and for a name that comes twice. */
export function decodeFields(block: Buffer): Fields {
  const fields = new Map<string, string>();
  let at = 0;
  const string = (): string => {
    if (at >= block.length) throw damaged('ends within a field');
    let length = block[at++];
    if (length >= 128) throw damaged('holds a Huffman code, which an end of ours does not send');
    if (length === 127) {
      let shift = 0;
      for (let more = true; more; shift += 7) {
        if (at >= block.length || shift === 7 * MOST_LENGTH_BYTES) throw damaged('holds a length that does not end');
        length += (block[at] & 127) << shift;
        more = block[at++] >= 128;
      }
    }
    if (length > block.length - at) throw damaged(`holds a length of ${length} with ${block.length - at} bytes left`);
    at += length;
    return block.toString('latin1', at - length, at);
  };
  while (at < block.length) {
    const form = block[at++];
    if (form !== LITERAL && form !== LITERAL_NEVER) throw damaged(`holds a field of form ${form}, expected literals`);
    const name = string();
    const value = string();
    if (!NAME.test(name) || FORBIDDEN.test(value)) throw damaged('holds a name or value with characters that are not allowed');
    if (fields.has(name)) throw damaged(`holds ${name} twice`);
    fields.set(name, value);
  }
  return fields;
}

/** Whether a block of this size may be sent. */
export function fits(block: Buffer): boolean {
  return block.length <= MOST_HEADER_BYTES;
}

function damaged(what: string): WireError {
  return new WireError(Reason.compression, `a block of header fields ${what}`);
}
