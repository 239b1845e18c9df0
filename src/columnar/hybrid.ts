/**
 * Reads the run-length and bit-packed hybrid of Parquet step by step, so that rows which another task decodes are passed over without
 * being written anywhere. No run is believed to be longer than the values that are left.
 */
export class HybridDecoder {
  private at: number;
  /** Values left of the run under way. */
  private run = 0;
  private packed = false;
  private value = 0;
  /** Bit of `bytes` where the next bit-packed value begins. */
  private bit = 0;

  /** @param count values that the bytes hold. */
  constructor(
    private readonly bytes: Uint8Array,
    start: number,
    private readonly end: number,
    private readonly width: number,
    private left: number,
  ) {
    if (width < 0 || width > 32) throw new Error(`values of ${width} bits`);
    this.at = start;
    // A width of nothing: every value is 0, and nothing need stand there.
    if (width === 0) this.run = left;
  }

  read(out: Int32Array | Uint8Array, count: number): void {
    for (let done = 0; done < count; ) {
      const step = this.step(count - done);
      if (this.packed) this.unpack(out, done, step);
      else out.fill(this.value, done, done + step);
      this.take(step);
      done += step;
    }
  }

  skip(count: number): void {
    for (let done = 0; done < count; ) {
      const step = this.step(count - done);
      this.take(step);
      done += step;
    }
  }

  private take(step: number): void {
    this.run -= step;
    this.left -= step;
    if (this.packed) this.bit += step * this.width;
  }

  private step(wanted: number): number {
    if (wanted > this.left) throw new Error(`${wanted} values wanted, ${this.left} are left in the page`);
    while (this.run === 0) this.nextRun();
    return Math.min(wanted, this.run);
  }

  private nextRun(): void {
    const head = this.varint();
    const count = Math.floor(head / 2);
    this.packed = head % 2 === 1;
    if (this.packed) {
      const size = count * this.width;
      // The last run may be padded, or cut after its last value.
      const needed = Math.ceil((Math.min(count * 8, this.left) * this.width) / 8);
      if (needed > this.end - this.at) throw new Error(`a run of ${needed} bytes where ${this.end - this.at} are left`);
      this.bit = this.at * 8;
      this.at = Math.min(this.end, this.at + size);
      this.run = Math.min(count * 8, this.left);
      return;
    }
    if (count > this.left) throw new Error(`a run of ${count} values where ${this.left} are left`);
    const size = (this.width + 7) >> 3;
    if (size > this.end - this.at) throw new Error('a run is cut off');
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.bytes[this.at++] << (i * 8);
    this.value = value;
    this.run = count;
  }

  private unpack(out: Int32Array | Uint8Array, from: number, count: number): void {
    const { bytes, width } = this;
    const mask = width === 32 ? -1 : (1 << width) - 1;
    let { bit } = this;
    for (let i = 0; i < count; i++, bit += width) {
      const byte = bit >>> 3;
      const shift = bit & 7;
      // Bytes behind the end are undefined, which counts as 0 here.
      let word = (bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | (bytes[byte + 3] << 24)) >>> shift;
      if (shift + width > 32) word |= bytes[byte + 4] << (32 - shift);
      out[from + i] = word & mask;
    }
  }

  private varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      if (this.at >= this.end) throw new Error('runs end before the values do');
      const byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new Error('a run length of more than 5 bytes');
  }
}
