/** Reads protocol buffer fields of one byte range. After `next()` the field's parts stand in the members. */
export class FieldReader {
  number = 0;
  wire = 0;
  /** Bytes of a length-delimited or fixed field. */
  start = 0;
  end = 0;
  /** Varint value, two halves. */
  low = 0;
  high = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Reads the field at `at`; the position behind it, −1 where it is malformed. */
  next(at: number, limit: number): number {
    let p = this.varint(at, limit);
    // A tag is a 32-bit number: field numbers end at 2^29 − 1.
    if (p < 0 || this.high !== 0) return -1;
    this.number = this.low >>> 3;
    this.wire = this.low & 7;
    if (this.number === 0) return -1;
    switch (this.wire) {
      case 0:
        return this.varint(p, limit);
      case 1:
      case 5: {
        const size = this.wire === 1 ? 8 : 4;
        if (limit - p < size) return -1;
        this.start = p;
        this.end = p + size;
        return this.end;
      }
      case 2:
        p = this.varint(p, limit);
        if (p < 0 || this.high !== 0 || this.low > limit - p) return -1;
        this.start = p;
        this.end = p + this.low;
        return this.end;
      default:
        return -1;
    }
  }

  varint(at: number, limit: number): number {
    const { bytes } = this;
    let p = at;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70 && p < limit; shift += 7) {
      const byte = bytes[p++];
      if (shift === 63 && byte > 1) return -1;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high |= part >>> 4;
      } else high |= part << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return p;
      }
    }
    return -1;
  }
}
