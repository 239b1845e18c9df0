// XXH64 with seed 0, of which zstd keeps the low 32 bits behind a frame. In 32-bit halves: BigInt would be ten times slower.
import { multiplyHigh32 } from '../../base/index.js';

const P1L = 0x85ebca87;
const P1H = 0x9e3779b1;
const P2L = 0x27d4eb4f;
const P2H = 0xc2b2ae3d;
const P3L = 0x9e3779f9;
const P3H = 0x165667b1;
const P4L = 0xc2b2ae63;
const P4H = 0x85ebca77;
const P5L = 0x165667c5;
const P5H = 0x27d4eb2f;
const STRIPE = 32;

/** Takes bytes piece by piece. */
export class XxHash64 {
  /** Four lanes, each low and high half. */
  private readonly lanes = Uint32Array.of(0, 0, P2L, P2H, 0, 0, 0, 0);
  private readonly pending = new Uint8Array(STRIPE);
  private waiting = 0;
  private length = 0;
  private low = 0;
  private high = 0;

  constructor() {
    const { lanes } = this;
    this.set(P1L, P1H);
    this.add(P2L, P2H);
    lanes[0] = this.low;
    lanes[1] = this.high;
    this.set(0, 0);
    this.add(~P1L + 1, ~P1H);
    lanes[6] = this.low;
    lanes[7] = this.high;
  }

  update(bytes: Uint8Array): void {
    this.length += bytes.length;
    let at = 0;
    if (this.waiting > 0) {
      const piece = bytes.subarray(0, STRIPE - this.waiting);
      this.pending.set(piece, this.waiting);
      this.waiting += piece.length;
      at = piece.length;
      if (this.waiting < STRIPE) return;
      this.stripe(this.pending, 0);
      this.waiting = 0;
    }
    for (; at + STRIPE <= bytes.length; at += STRIPE) this.stripe(bytes, at);
    this.pending.set(bytes.subarray(at));
    this.waiting = bytes.length - at;
  }

  /** The low 32 bits of the hash of all bytes so far. */
  low32(): number {
    const { lanes, pending } = this;
    if (this.length >= STRIPE) {
      const sum = [0, 0];
      [1, 7, 12, 18].forEach((bits, lane) => {
        this.set(lanes[lane * 2], lanes[lane * 2 + 1]);
        this.rotate(bits);
        this.add(sum[0], sum[1]);
        sum[0] = this.low;
        sum[1] = this.high;
      });
      for (let lane = 0; lane < 4; lane++) {
        this.round(0, 0, lanes[lane * 2], lanes[lane * 2 + 1]);
        this.xor(sum[0], sum[1]);
        this.multiply(P1L, P1H);
        this.add(P4L, P4H);
        sum[0] = this.low;
        sum[1] = this.high;
      }
    } else this.set(P5L, P5H);
    this.add(this.length >>> 0, Math.floor(this.length / 0x100000000));
    let at = 0;
    const view = new DataView(pending.buffer);
    for (; at + 8 <= this.waiting; at += 8) {
      const { low, high } = this;
      this.round(0, 0, view.getUint32(at, true), view.getUint32(at + 4, true));
      this.xor(low, high);
      this.rotate(27);
      this.multiply(P1L, P1H);
      this.add(P4L, P4H);
    }
    if (at + 4 <= this.waiting) {
      const { low, high } = this;
      this.set(view.getUint32(at, true), 0);
      this.multiply(P1L, P1H);
      this.xor(low, high);
      this.rotate(23);
      this.multiply(P2L, P2H);
      this.add(P3L, P3H);
      at += 4;
    }
    for (; at < this.waiting; at++) {
      const { low, high } = this;
      this.set(pending[at], 0);
      this.multiply(P5L, P5H);
      this.xor(low, high);
      this.rotate(11);
      this.multiply(P1L, P1H);
    }
    this.shiftXor(33);
    this.multiply(P2L, P2H);
    this.shiftXor(29);
    this.multiply(P3L, P3H);
    this.shiftXor(32);
    return this.low;
  }

  private stripe(bytes: Uint8Array, at: number): void {
    const { lanes } = this;
    for (let lane = 0; lane < 4; lane++) {
      const p = at + lane * 8;
      const low = (bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)) >>> 0;
      const high = (bytes[p + 4] | (bytes[p + 5] << 8) | (bytes[p + 6] << 16) | (bytes[p + 7] << 24)) >>> 0;
      this.round(lanes[lane * 2], lanes[lane * 2 + 1], low, high);
      lanes[lane * 2] = this.low;
      lanes[lane * 2 + 1] = this.high;
    }
  }

  /** rotate(lane + input · P2, 31) · P1 */
  private round(laneLow: number, laneHigh: number, inputLow: number, inputHigh: number): void {
    this.set(inputLow, inputHigh);
    this.multiply(P2L, P2H);
    this.add(laneLow, laneHigh);
    this.rotate(31);
    this.multiply(P1L, P1H);
  }

  private set(low: number, high: number): void {
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  private add(low: number, high: number): void {
    const sum = this.low + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    this.low = sum >>> 0;
  }

  private xor(low: number, high: number): void {
    this.low = (this.low ^ low) >>> 0;
    this.high = (this.high ^ high) >>> 0;
  }

  private multiply(low: number, high: number): void {
    const upper = multiplyHigh32(this.low, low) + Math.imul(this.low, high) + Math.imul(this.high, low);
    this.low = Math.imul(this.low, low) >>> 0;
    this.high = upper >>> 0;
  }

  /** By 1 … 31 bits. */
  private rotate(bits: number): void {
    const { low, high } = this;
    this.low = ((low << bits) | (high >>> (32 - bits))) >>> 0;
    this.high = ((high << bits) | (low >>> (32 - bits))) >>> 0;
  }

  /** this ^= this >> bits */
  private shiftXor(bits: number): void {
    if (bits >= 32) {
      this.low = (this.low ^ (bits === 32 ? this.high : this.high >>> (bits - 32))) >>> 0;
      return;
    }
    this.low = (this.low ^ ((this.low >>> bits) | (this.high << (32 - bits)))) >>> 0;
    this.high = (this.high ^ (this.high >>> bits)) >>> 0;
  }
}
