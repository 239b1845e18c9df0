// Columns as every columnar format is decoded to: what training and tools read.

/** What a column holds: whole numbers, floats of 32 or 64 bits, text, or bytes that are no text. */
export type ColumnKind = 'integer' | 'float32' | 'float64' | 'text' | 'bytes';

/** One column of a file: a leaf of its schema, records within records named with dots. */
export type ColumnField = {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Lists around a value: 0 is one value a row; those of lists of lists are read as one list. */
  readonly listDepth: number;
};

/** Texts or byte strings one after another: number i is bytes[ends[i] … ends[i + 1]). */
export class Texts {
  constructor(
    readonly bytes: Uint8Array,
    /** [count + 1] */
    readonly ends: Uint32Array,
  ) {}

  get length(): number {
    return this.ends.length - 1;
  }

  /** From pieces that lie anywhere. */
  static of(parts: readonly Uint8Array[]): Texts {
    const ends = new Uint32Array(parts.length + 1);
    let end = 0;
    parts.forEach((part, i) => {
      end += part.length;
      ends[i + 1] = end;
    });
    const bytes = new Uint8Array(end);
    parts.forEach((part, i) => {
      bytes.set(part, ends[i]);
    });
    return new Texts(bytes, ends);
  }

  at(i: number): Uint8Array {
    return this.bytes.subarray(this.ends[i], this.ends[i + 1]);
  }
}

/** Values of a column; the class of array tells sign and width. Truth values are bytes 0 and 1. */
export type ColumnValues = Int32Array | Uint32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array | Uint8Array | Texts;

/**
 * Some rows of a column. The values of row r are at offsets[r] … offsets[r + 1]; without offsets there is one a row. Value p is
 * values[indices[p]], or values[p] without indices (no dictionary).
 */
export type DecodedColumn = {
  readonly rows: number;
  readonly offsets: Uint32Array | null;
  /** One byte a row, 1 where it has no value and no list either; null where all have. */
  readonly missing: Uint8Array | null;
  readonly indices: Int32Array | null;
  readonly values: ColumnValues;
  /** Elements of lists that are null: they are left out of the values. */
  readonly nullElements: number;
};

/** Number of values over all rows. */
export function numValues({ rows, offsets }: DecodedColumn): number {
  return offsets === null ? rows : offsets[rows];
}

/** The values without their dictionary. */
export function withoutDictionary(column: DecodedColumn): ColumnValues {
  const { indices, values } = column;
  return indices === null ? values : takeValues(values, indices);
}

/** values[indices[0]], values[indices[1]], … */
export function takeValues(values: ColumnValues, indices: Int32Array): ColumnValues {
  if (values instanceof Texts) return Texts.of(Array.from(indices, (i) => values.at(i)));
  const taken = values.slice(0, 0);
  const made = new (taken.constructor as new (length: number) => Exclude<ColumnValues, Texts>)(indices.length);
  for (let p = 0; p < indices.length; p++) made[p] = values[indices[p]];
  return made;
}

/** One after another; all of one class. */
export function joinValues(parts: readonly ColumnValues[]): ColumnValues {
  const [first] = parts;
  if (parts.length === 1) return first;
  if (first instanceof Texts) {
    const texts = parts as readonly Texts[];
    const ends = new Uint32Array(texts.reduce((sum, part) => sum + part.length, 1));
    const bytes = new Uint8Array(texts.reduce((sum, part) => sum + part.ends[part.length] - part.ends[0], 0));
    let count = 0;
    for (const part of texts) {
      const shift = ends[count] - part.ends[0];
      bytes.set(part.bytes.subarray(part.ends[0], part.ends[part.length]), ends[count]);
      for (let i = 1; i <= part.length; i++) ends[count + i] = part.ends[i] + shift;
      count += part.length;
    }
    return new Texts(bytes, ends);
  }
  const arrays = parts as readonly Exclude<ColumnValues, Texts>[];
  const total = arrays.reduce((sum, part) => sum + part.length, 0);
  const joined = new (first.constructor as new (length: number) => Float64Array)(total);
  let at = 0;
  for (const part of arrays) {
    joined.set(part as Float64Array, at);
    at += part.length;
  }
  return joined;
}
