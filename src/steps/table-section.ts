import { MonolithError } from '../base/index.js';
import type { TableRows } from './state.js';

// One bucket of one table in a checkpoint section, little-endian (docs/formats/checkpoint.md, "Sections written by training"):
//   0   8 bytes   "MLROWS01"
//   8   u64       number of rows n
//   16  u32       floats of a row's values (dim)
//   20  u32       floats of a row's optimizer state
//   24  8 bytes   zero
//   32  n × u64   fids, ascending as unsigned numbers
//       n × u32   step of last use (padded with zeros to a multiple of 8 bytes)
//       n × (dim + state) × f32   records: values, then optimizer state
const MAGIC = 'MLROWS01';
const HEADER_BYTES = 32;

export type RowShape = { readonly dim: number; readonly stateLength: number };

/** Rows that a section of one bucket holds at most on average; what is dumped and merged at once, about 40 MB at dim 16 with Adagrad. */
const ROWS_PER_BUCKET = 262_144;

/** Bits of the bucket number for a table of `rows` rows: a function of the number of rows alone, so equal for every number of shards. */
export function bucketBitsOf(rows: number): number {
  let bits = 0;
  while (rows / 2 ** bits > ROWS_PER_BUCKET) bits++;
  return bits;
}

/** Name of the section of one bucket of a table: `table.user.00003-of-00008`. */
export function tableSectionName(table: string, bits: number, bucket: number): string {
  const part = (value: number): string => String(value).padStart(5, '0');
  return `table.${table.replaceAll(/[^A-Za-z0-9_-]/g, '_')}.${part(bucket)}-of-${part(2 ** bits)}`;
}

/** The bytes of one section, and where its rows go in it. */
export type SectionBuffer = {
  readonly bytes: Uint8Array;
  readonly fids: BigInt64Array;
  readonly timestamps: Uint32Array;
  readonly records: Float32Array;
};

/** A section for `count` rows, all but the rows written. @param allocate gives at least so many bytes, which may hold anything. */
export function sectionBuffer(count: number, shape: RowShape, allocate: (bytes: number) => ArrayBuffer): SectionBuffer {
  const timestampsAt = HEADER_BYTES + count * 8;
  const recordsAt = timestampsAt + Math.ceil(count / 2) * 8;
  const length = recordsAt + count * (shape.dim + shape.stateLength) * 4;
  const buffer = allocate(length);
  const bytes = new Uint8Array(buffer, 0, length);
  bytes.set(encodeHeader(count, shape));
  bytes.fill(0, timestampsAt + count * 4, recordsAt);
  return {
    bytes,
    fids: new BigInt64Array(buffer, HEADER_BYTES, count),
    timestamps: new Uint32Array(buffer, timestampsAt, count),
    records: new Float32Array(buffer, recordsAt, count * (shape.dim + shape.stateLength)),
  };
}

/** Header of a bucket's section. */
export function encodeHeader(count: number, shape: RowShape): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  for (let i = 0; i < MAGIC.length; i++) header[i] = MAGIC.charCodeAt(i);
  view.setBigUint64(8, BigInt(count), true);
  view.setUint32(16, shape.dim, true);
  view.setUint32(20, shape.stateLength, true);
  return header;
}

/**
 * Merges the rows of several shards, each in ascending order of unsigned fid, into one such order. Distinct shards hold distinct fids.
 *
 * @param width floats of a record.
 */
export function mergeRows(parts: readonly TableRows[], width: number): TableRows {
  const filled = parts.filter((part) => part.count > 0);
  if (filled.length === 1) return filled[0];
  const count = filled.reduce((sum, part) => sum + part.count, 0);
  const fids = new BigInt64Array(count);
  const timestamps = new Uint32Array(count);
  const records = new Float32Array(count * width);
  const next = new Array<number>(filled.length).fill(0);
  const keys = filled.map((part) => new BigUint64Array(part.fids.buffer, part.fids.byteOffset, part.count));
  const heads = keys.map((own) => own[0]);
  for (let i = 0; i < count; i++) {
    let least = -1;
    for (let p = 0; p < filled.length; p++) {
      if (next[p] < filled[p].count && (least < 0 || heads[p] < heads[least])) least = p;
    }
    const part = filled[least];
    const from = next[least]++;
    fids[i] = part.fids[from];
    timestamps[i] = part.timestamps[from];
    records.set(part.records.subarray(from * width, (from + 1) * width), i * width);
    heads[least] = keys[least][next[least]];
  }
  return { count, fids, timestamps, records };
}

/** The bytes of rows behind the header, in the order of the format. */
export function encodeRows(rows: TableRows, width: number): Uint8Array[] {
  const bytes = (array: BigInt64Array | Uint32Array | Float32Array, length: number): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, length);
  const padding = rows.count % 2 === 0 ? [] : [new Uint8Array(4)];
  return [
    bytes(rows.fids, rows.count * 8),
    bytes(rows.timestamps, rows.count * 4),
    ...padding,
    bytes(rows.records, rows.count * width * 4),
  ];
}

/**
 * Rows of a section, read in place where alignment allows.
 * @throws CheckpointIncompatible when the section has other widths than the table.
 */
export function decodeRows(bytes: Uint8Array, shape: RowShape, name: string): TableRows {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, Math.min(8, bytes.length)));
  const count = bytes.length >= HEADER_BYTES ? Number(view.getBigUint64(8, true)) : 0;
  const dim = bytes.length >= HEADER_BYTES ? view.getUint32(16, true) : 0;
  const stateLength = bytes.length >= HEADER_BYTES ? view.getUint32(20, true) : 0;
  const width = dim + stateLength;
  const timestampsAt = HEADER_BYTES + count * 8;
  const recordsAt = timestampsAt + Math.ceil(count / 2) * 8;
  if (magic !== MAGIC || recordsAt + count * width * 4 !== bytes.length) {
    throw new MonolithError(
      'CheckpointCorrupt',
      `section ${name}: ${bytes.length} bytes that are not ${MAGIC} with ${count} rows of ${width}`,
      {
        section: name,
      },
    );
  }
  if (dim !== shape.dim || stateLength !== shape.stateLength) {
    throw new MonolithError(
      'CheckpointIncompatible',
      `section ${name}: rows of ${dim} values and ${stateLength} of optimizer state, the model has ${shape.dim} and ${shape.stateLength}; train with the model and optimizers of the checkpoint, or start anew with --fresh`,
      { section: name, expected: [shape.dim, shape.stateLength], actual: [dim, stateLength] },
    );
  }
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  return {
    count,
    fids: new BigInt64Array(buffer, byteOffset + HEADER_BYTES, count),
    timestamps: new Uint32Array(buffer, byteOffset + timestampsAt, count),
    records: new Float32Array(buffer, byteOffset + recordsAt, count * width),
  };
}
