/** Signature of every crc32c function here, so that a native one can take its place. */
export type Crc32c = (bytes: Uint8Array, seed?: number) => number;

/** Reversed Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;

/** tables[k][b]: effect of byte b followed by k zero bytes; eight of them let one turn of the loop eat eight bytes. */
const tables: readonly Int32Array[] = makeTables();
const [T0, T1, T2, T3, T4, T5, T6, T7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

function makeTables(): Int32Array[] {
  const made = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    made[0][byte] = crc;
  }
  for (let k = 1; k < 8; k++) {
    for (let byte = 0; byte < 256; byte++) {
      const crc = made[k - 1][byte];
      made[k][byte] = (crc >>> 8) ^ made[0][crc & 0xff];
    }
  }
  return made;
}

/**
 * CRC-32C (Castagnoli) of the bytes, by slicing-by-8. `crc32c(ascii('123456789'))` is 0xE3069283.
 *
 * @param bytes any view, also of shared memory.
 * @param seed  checksum of what came before: crc32c(b, crc32c(a)) is the checksum of a then b.
 * @returns in [0, 2³²). About 1 GB/s.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  let i = 0;
  const length = bytes.length;
  for (const end = length - 7; i < end; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      T7[crc & 0xff] ^
      T6[(crc >>> 8) & 0xff] ^
      T5[(crc >>> 16) & 0xff] ^
      T4[crc >>> 24] ^
      T3[bytes[i + 4]] ^
      T2[bytes[i + 5]] ^
      T1[bytes[i + 6]] ^
      T0[bytes[i + 7]];
  }
  for (; i < length; i++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}

/** The masked form that TFRecord stores: rotated right by 15, plus 0xa282ead8. */
export function maskedCrc32c(bytes: Uint8Array): number {
  return maskCrc32c(crc32c(bytes));
}

/** Masks a plain checksum as TFRecord does. */
export function maskCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * Makes joiners of checksums: given crc(a) and crc(b), where b has `length` bytes, returns crc(a then b) without the bytes.
 * One joiner serves any number of pieces of its length: 32 steps a call.
 *
 * Source: the matrix method of Mark Adler's crc32_combine (zlib), with the Castagnoli polynomial.
 */
export function crc32cJoiner(length: number): (first: number, second: number) => number {
  // Column j of `operator` is what bit j of a checksum becomes when `length` zero bytes follow.
  const operator = zeroBytesOperator(length);
  return (first, second) => (multiply(operator, first) ^ second) >>> 0;
}

function zeroBytesOperator(length: number): Int32Array {
  let result: Int32Array = Int32Array.from({ length: 32 }, (_, bit) => 1 << bit);
  // One zero byte: the table's own step.
  let square: Int32Array = Int32Array.from({ length: 32 }, (_, bit) => {
    const crc = 1 << bit;
    return (crc >>> 8) ^ T0[crc & 0xff];
  });
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = compose(square, result);
    square = compose(square, square);
  }
  return result;
}

function multiply(matrix: Int32Array, vector: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) if ((vector >>> bit) & 1) sum ^= matrix[bit];
  return sum;
}

function compose(outer: Int32Array, inner: Int32Array): Int32Array {
  return inner.map((column) => multiply(outer, column));
}
