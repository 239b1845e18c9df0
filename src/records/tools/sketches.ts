// Summaries of long columns in little memory.
import { mix64, SeededRandom, type Uint64Halves } from '../../base/index.js';

/** 2¹² registers: a standard error of 1.6 % in 4 KiB. */
const REGISTER_BITS = 12;
const REGISTERS = 1 << REGISTER_BITS;

/**
 * How many different values there are (HyperLogLog; small numbers by linear counting, which is exact to about 1 % there).
 * Source: Flajolet, Fusy, Gandouet & Meunier, AofA 2007.
 */
export class DistinctCounter {
  private readonly registers = new Uint8Array(REGISTERS);

  add({ low, high }: Uint64Halves): void {
    const register = high >>> (32 - REGISTER_BITS);
    // The bits behind those of the register; the leading zeros of 52 bits fit in these two.
    const rest = (high << REGISTER_BITS) | (low >>> (32 - REGISTER_BITS));
    const rank = 1 + (rest === 0 ? 32 + Math.clz32(low << REGISTER_BITS) : Math.clz32(rest));
    if (rank > this.registers[register]) this.registers[register] = rank;
  }

  estimate(): number {
    let sum = 0;
    let zeros = 0;
    for (const rank of this.registers) {
      sum += 2 ** -rank;
      if (rank === 0) zeros++;
    }
    const raw = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS * REGISTERS) / sum;
    return Math.round(raw <= 2.5 * REGISTERS && zeros > 0 ? REGISTERS * Math.log(REGISTERS / zeros) : raw);
  }
}

type Counted<Value> = { value: Value; count: number; error: number };

/**
 * The most frequent values (Space-Saving): a value that makes up more than 1/capacity of all is in it; its count is at most `error` too high.
 * Source: Metwally, Agrawal & El Abbadi, ICDT 2005.
 */
export class FrequentValues<Value> {
  /** A heap, the rarest first. */
  private readonly heap: Counted<Value>[] = [];
  private readonly places = new Map<Value, number>();

  constructor(
    private readonly capacity: number,
    /** Makes what may be kept of a value. */
    private readonly keep: (value: Value) => Value = (value) => value,
  ) {}

  add(value: Value, times = 1): void {
    const place = this.places.get(value);
    if (place !== undefined) {
      this.heap[place].count += times;
      this.sink(place);
    } else if (this.heap.length < this.capacity) {
      const kept = this.keep(value);
      this.heap.push({ value: kept, count: times, error: 0 });
      this.places.set(kept, this.heap.length - 1);
      this.rise(this.heap.length - 1);
    } else {
      const [rarest] = this.heap;
      this.places.delete(rarest.value);
      rarest.value = this.keep(value);
      rarest.error = rarest.count;
      rarest.count += times;
      this.places.set(rarest.value, 0);
      this.sink(0);
    }
  }

  /** The most frequent first; of equal counts the one that is smaller as text. */
  top(most: number): readonly Readonly<Counted<Value>>[] {
    const order = (a: Counted<Value>, b: Counted<Value>): number => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1);
    return [...this.heap].sort(order).slice(0, most);
  }

  /** Whether nothing had to be given up, so that counts are exact and all values are there. */
  get isExact(): boolean {
    return this.heap.every(({ error }) => error === 0);
  }

  private rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.heap[parent].count <= this.heap[at].count) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(from: number): void {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.heap.length && this.heap[child].count < this.heap[least].count) least = child;
      }
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.heap[b], this.heap[a]];
    this.places.set(this.heap[a].value, a);
    this.places.set(this.heap[b].value, b);
  }
}

/** A fair sample of numbers of fixed size; the same for the same numbers in the same order. Source: Vitter's algorithm R. */
export class NumberSample {
  private readonly random = new SeededRandom(1);
  private readonly sample: Float64Array;
  private seen = 0;

  constructor(private readonly size: number) {
    this.sample = new Float64Array(size);
  }

  add(value: number): void {
    const place = this.seen < this.size ? this.seen : Math.floor(this.random.nextFloat() * (this.seen + 1));
    if (place < this.size) this.sample[place] = value;
    this.seen++;
  }

  sorted(): Float64Array {
    return this.sample.slice(0, Math.min(this.seen, this.size)).sort();
  }
}

/** Which values were seen: never says no to one that was, and seldom yes to another. */
export class SeenValues {
  private readonly bits: Uint32Array;
  private readonly mask: number;

  /** @param bytes a power of two. */
  constructor(bytes: number) {
    this.bits = new Uint32Array(bytes / 4);
    this.mask = bytes * 8 - 1;
  }

  add({ low, high }: Uint64Halves): void {
    for (let k = 0; k < 4; k++) {
      const bit = (low + Math.imul(k, high | 1)) & this.mask;
      this.bits[bit >>> 5] |= 1 << (bit & 31);
    }
  }

  has({ low, high }: Uint64Halves): boolean {
    for (let k = 0; k < 4; k++) {
      const bit = (low + Math.imul(k, high | 1)) & this.mask;
      if ((this.bits[bit >>> 5] & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** A 64-bit hash of a text's UTF-16 units, for sketches alone. */
export function hashText(text: string, out: Uint64Halves): void {
  let a = 0x811c9dc5 ^ text.length;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b) ^ (b >>> 15);
  }
  mix64(a >>> 0, b >>> 0, out);
}

/** The same of bytes. */
export function hashBytes(bytes: Uint8Array, out: Uint64Halves): void {
  let a = 0x811c9dc5 ^ bytes.length;
  let b = 0x9e3779b9;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 15);
  }
  mix64(a >>> 0, b >>> 0, out);
}
