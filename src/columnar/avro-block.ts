// Blocks of Avro object container files into columns, without an object a record.
import { inflateRawSync } from 'node:zlib';
import type { AvroLeaf, AvroNode, AvroSchema } from './avro-schema.js';
import { ColumnBuilder } from './builders.js';
import { type DecodedColumn, Texts } from './columns.js';
import { crc32 } from './crc32.js';
import { decimalText, uuidText } from './parquet-values.js';

/** Bytes of a decompressed block are refused beyond this. */
const MOST_BLOCK_BYTES = 256 << 20;
/** Elements and records of no bytes at all that a block may hold beside those that have some. */
const SPARE_ELEMENTS = 1 << 20;
export const SYNC_BYTES = 16;
export const avroCodecs = ['null', 'deflate', 'snappy'] as const;
export type AvroCodec = (typeof avroCodecs)[number];

export type Snappy = (bytes: Uint8Array, length: number) => Uint8Array;

/** Loads what decompresses Snappy. */
export async function loadSnappy(): Promise<Snappy> {
  const { compressors } = await import('hyparquet-compressors');
  const { SNAPPY } = compressors;
  if (SNAPPY === undefined) throw new Error('the library has no Snappy');
  return SNAPPY;
}

export type BlockHead = { readonly count: number; readonly size: number; readonly bodyAt: number };

/** The head of a block at `at`; null where the bytes end before it does. @throws Error. */
export function readBlockHead(bytes: Uint8Array, at: number, end: number): BlockHead | null {
  const reader = new AvroReader(bytes, at, end);
  try {
    const count = reader.length();
    const size = reader.length();
    return { count, size, bodyAt: reader.at };
  } catch (error) {
    if (error instanceof CutOff) return null;
    throw error;
  }
}

export function decompressBlock(codec: AvroCodec, bytes: Uint8Array, snappy: Snappy | null): Uint8Array {
  switch (codec) {
    case 'null':
      return bytes;
    case 'deflate':
      return inflateRawSync(bytes, { maxOutputLength: MOST_BLOCK_BYTES });
    case 'snappy': {
      if (bytes.length < 5) throw new Error('a Snappy block of fewer than 5 bytes');
      const body = bytes.subarray(0, bytes.length - 4);
      const length = snappyLength(body);
      const plain = (snappy as Snappy)(body, length);
      const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, false);
      if (crc32(plain) !== sum) throw new Error('the checksum of the block is wrong');
      return plain;
    }
    default:
      return codec satisfies never;
  }
}

function snappyLength(bytes: Uint8Array): number {
  let length = 0;
  let scale = 1;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i] ?? 0;
    length += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
  }
  if (length > MOST_BLOCK_BYTES) throw new Error(`${length} bytes decompressed, at most ${MOST_BLOCK_BYTES} are read`);
  return length;
}

class CutOff extends Error {}

/** Binary Avro, every length held against what is left. */
export class AvroReader {
  low = 0;
  high = 0;
  /** Elements that may still come, those of no bytes included. */
  private budget: number;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly end: number,
  ) {
    this.budget = end - at + SPARE_ELEMENTS;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A zigzag number into `low` and `high`. */
  long(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new CutOff('a number is cut off');
      const byte = this.bytes[this.at++];
      const part = byte & 127;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high = part >>> 4;
      } else high |= part << (shift - 32);
      if (byte < 128) {
        const sign = -(low & 1);
        this.low = (((low >>> 1) | (high << 31)) ^ sign) >>> 0;
        this.high = ((high >>> 1) ^ sign) >>> 0;
        return;
      }
    }
    throw new Error('a number of more than 10 bytes');
  }

  int(): number {
    this.long();
    const value = this.low | 0;
    if (this.high !== (value < 0 ? 0xffffffff : 0)) throw new Error('an int beyond 32 bits');
    return value;
  }

  /** A number that must be a length. */
  length(): number {
    this.long();
    const value = (this.high | 0) * 0x100000000 + this.low;
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new Error(`a length of ${value}`);
    return value;
  }

  part(length: number): Uint8Array {
    if (length > this.end - this.at) throw new CutOff(`${length} bytes wanted, ${this.end - this.at} are left`);
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  float(): number {
    this.part(4);
    return this.view.getFloat32(this.at - 4, true);
  }

  double(): number {
    this.part(8);
    return this.view.getFloat64(this.at - 8, true);
  }

  /** Count of the next part of an array or map; 0 ends it. */
  items(): number {
    this.long();
    let count = (this.high | 0) * 0x100000000 + this.low;
    if (count < 0) {
      count = -count;
      this.length();
    }
    this.spend(count);
    return count;
  }

  spend(count: number): void {
    this.budget -= count;
    if (this.budget < 0) throw new Error('more elements than its bytes can hold');
  }

  get atEnd(): boolean {
    return this.at === this.end;
  }
}

/** Decodes blocks of one schema. */
export class AvroDecoder {
  private readonly dictionaries: readonly (Texts | null)[];

  constructor(
    private readonly schema: AvroSchema,
    /** Columns that are wanted; the others are passed over. */
    private readonly wanted: ReadonlySet<number>,
  ) {
    this.dictionaries = schema.leaves.map(({ symbols }) =>
      symbols === null ? null : Texts.of(symbols.map((symbol) => Buffer.from(symbol))),
    );
  }

  /**
   * The columns of `count` records, null where not wanted.
   * @throws Error for bytes that do not hold them.
   */
  decode(bytes: Uint8Array, count: number): (DecodedColumn | null)[] {
    const reader = new AvroReader(bytes, 0, bytes.length);
    reader.spend(count);
    const builders = this.schema.leaves.map((leaf, i) => (this.wanted.has(i) ? builderOf(leaf) : null));
    const active = builders.filter((builder) => builder !== null);
    const walk = new RecordWalk(reader, builders);
    for (let i = 0; i < count; i++) {
      walk.value(this.schema.root, false);
      for (const builder of active) builder.endRow();
    }
    if (!reader.atEnd) throw new Error(`its records end at byte ${reader.at} of ${bytes.length}`);
    return builders.map((builder, i) => builder?.finish(this.dictionaries[i], this.schema.leaves[i].listDepth > 0) ?? null);
  }
}

function builderOf({ store }: AvroLeaf): ColumnBuilder {
  switch (store) {
    case 'long':
      return new ColumnBuilder((length) => new BigInt64Array(length), false);
    case 'float':
      return new ColumnBuilder((length) => new Float32Array(length), false);
    case 'double':
      return new ColumnBuilder((length) => new Float64Array(length), false);
    case 'boolean':
      return new ColumnBuilder((length) => new Uint8Array(length), false);
    case 'text':
      return new ColumnBuilder((length) => new Uint8Array(length), true);
    default:
      return new ColumnBuilder((length) => new Int32Array(length), false);
  }
}

class RecordWalk {
  constructor(
    private readonly reader: AvroReader,
    private readonly builders: readonly (ColumnBuilder | null)[],
  ) {}

  value(node: AvroNode, inList: boolean): void {
    const { reader, builders } = this;
    switch (node.type) {
      case 'null':
        return;
      case 'boolean': {
        const byte = reader.part(1)[0];
        if (byte > 1) throw new Error(`a truth value of ${byte}`);
        builders[node.leaf]?.number(byte);
        return;
      }
      case 'int': {
        const value = reader.int();
        builders[node.leaf]?.number(value);
        return;
      }
      case 'long':
        reader.long();
        builders[node.leaf]?.long(reader.low, reader.high);
        return;
      case 'float': {
        const value = reader.float();
        builders[node.leaf]?.number(value);
        return;
      }
      case 'double': {
        const value = reader.double();
        builders[node.leaf]?.number(value);
        return;
      }
      case 'string': {
        const bytes = reader.part(reader.length());
        builders[node.leaf]?.text(bytes);
        return;
      }
      case 'bytes': {
        const bytes = reader.part(reader.length());
        builders[node.leaf]?.text(node.scale === null ? bytes : decimalBytes(bytes, node.scale));
        return;
      }
      case 'fixed': {
        const bytes = reader.part(node.size);
        const builder = builders[node.leaf];
        if (node.uuid) builder?.text(Buffer.from(uuidText(bytes)));
        else builder?.text(node.scale === null ? bytes : decimalBytes(bytes, node.scale));
        return;
      }
      case 'enum': {
        const symbol = reader.int();
        if (symbol < 0 || symbol >= node.symbols.length) throw new Error(`symbol ${symbol} of an enum of ${node.symbols.length}`);
        builders[node.leaf]?.number(symbol);
        return;
      }
      case 'record':
        for (const field of node.fields) this.value(field, inList);
        return;
      case 'union': {
        const branch = reader.int();
        const chosen = node.branches[branch];
        if (chosen === undefined) throw new Error(`branch ${branch} of a union of ${node.branches.length}`);
        if (chosen.type === 'null' && inList) for (const leaf of node.leaves) builders[leaf]?.nullElement();
        this.value(chosen, inList);
        return;
      }
      case 'array':
      case 'map':
        this.list(node);
        return;
      default:
        node satisfies never;
    }
  }

  private list(node: AvroNode & { readonly type: 'array' | 'map' }): void {
    const { reader, builders } = this;
    for (const leaf of node.leaves) {
      const builder = builders[leaf];
      if (builder !== null && builder !== undefined) builder.present = true;
    }
    for (let count = reader.items(); count > 0; count = reader.items()) {
      for (let i = 0; i < count; i++) {
        if (node.type === 'map') {
          const key = reader.part(reader.length());
          builders[node.key]?.text(key);
        }
        this.value(node.type === 'map' ? node.values : node.items, true);
      }
    }
  }
}

function decimalBytes(bytes: Uint8Array, scale: number): Uint8Array {
  const value = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
  return Buffer.from(decimalText(value, scale));
}
