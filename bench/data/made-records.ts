// Made-up records of one label, 13 counts and 26 categories in every format that a parser reads.
import { maskedCrc32c, SeededRandom, writeVarint } from '../../src/base/index.js';

/** One click. */
type Click = { readonly label: number; readonly counts: readonly (number | null)[]; readonly categories: readonly string[] };

const random = new SeededRandom(1);

export const clickColumns = [
  'label',
  ...Array.from({ length: 13 }, (_, i) => `I${i + 1}`),
  ...Array.from({ length: 26 }, (_, i) => `C${i + 1}`),
];

function click(): Click {
  return {
    label: random.nextBelow(2),
    counts: Array.from({ length: 13 }, () => (random.nextBelow(5) === 0 ? null : random.nextBelow(1 << random.nextBelow(16)))),
    categories: Array.from({ length: 26 }, () => random.nextUint32().toString(16).padStart(8, '0')),
  };
}

/** Lines of Criteo text (tabs) or CSV (commas), without a header. */
export function delimited(rows: number, separator: string): Uint8Array {
  const lines = Array.from({ length: rows }, () => {
    const { label, counts, categories } = click();
    return [label, ...counts.map((count) => count ?? ''), ...categories].join(separator);
  });
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Lines of LibFFM: fields 0…12 with values, 13…38 with one id each. */
export function libffm(rows: number): Uint8Array {
  const lines = Array.from({ length: rows }, () => {
    const { label, counts, categories } = click();
    const numbers = counts.flatMap((count, i) => (count === null ? [] : [`${i}:${i}:${count}`]));
    return [label, ...numbers, ...categories.map((text, i) => `${13 + i}:${Number.parseInt(text.slice(0, 6), 16)}:1`)].join(' ');
  });
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Records of 40 words. */
export function criteoBinary(rows: number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: rows * 40 }, () => random.nextBelow(1 << 20)).buffer);
}

/** Field `number` of a message: length-delimited bytes. */
function field(number: number, bytes: Uint8Array): Buffer {
  const head = new Uint8Array(12);
  const end = writeVarint(bytes.length, head, writeVarint(number * 8 + 2, head, 0));
  return Buffer.concat([head.subarray(0, end), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(10);
  return bytes.subarray(0, writeVarint(value, bytes, 0));
}

/** TFRecord of tf.train.Example: label and counts as int64 lists, categories as bytes lists; a missing count is left out. */
export function tfrecord(rows: number): Uint8Array {
  const frames = Array.from({ length: rows }, () => {
    const { label, counts, categories } = click();
    const feature = (name: string, list: Buffer): Buffer => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, list)]));
    const int64 = (value: number): Buffer => field(3, field(1, varint(value)));
    const payload = field(
      1,
      Buffer.concat([
        feature('label', int64(label)),
        ...counts.flatMap((count, i) => (count === null ? [] : [feature(`I${i + 1}`, int64(count))])),
        ...categories.map((text, i) => feature(`C${i + 1}`, field(1, field(1, Buffer.from(text))))),
      ]),
    );
    const frame = Buffer.alloc(payload.length + 16);
    frame.writeBigUInt64LE(BigInt(payload.length), 0);
    frame.writeUInt32LE(maskedCrc32c(frame.subarray(0, 8)), 8);
    frame.set(payload, 12);
    frame.writeUInt32LE(maskedCrc32c(payload), 12 + payload.length);
    return frame;
  });
  return Buffer.concat(frames);
}
