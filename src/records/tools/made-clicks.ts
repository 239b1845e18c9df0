// Criteo-shaped clicks with a planted truth. Record i is a function of (seed, preset, rows, zipf, i) alone, so that any range of records can be
// made by itself, and ranges that do not overlap are training and test sets of one truth.
//
//   logit = −1.45 + Σ 0.16 · w(field, id) + 0.12 · Σ over 16 pairs of fields ⟨v(field, id), v(field', id')⟩ + a line and a parabola in each number
//   label ~ Bernoulli(1 / (1 + e^−logit))
//
// w and the four parts of v are near-normal numbers that hang on field and id. The same parameters give the same bytes as the generator that
// the measurements of docs/performance.md were made with.
import { halvesToBigInt, mix64, multiplyHigh32, type Uint64Halves } from '../../base/index.js';

const DENSE = 13;
const FIELDS = 26;
const PAIRS = 16;
const PARTS = 4;

/** Distinct values of Criteo's 26 columns in the set of the Kaggle contest. */
const kaggleValues: readonly number[] = [
  1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15,
  286181, 105, 142572,
];

export type ClickParameters = {
  /** uniform: every column has `rows` values; kaggle: as many as in the contest's data, at most `rows`. */
  readonly preset: 'uniform' | 'kaggle';
  readonly rows: number;
  /** Value k of a column is drawn with a chance of k^−zipf. */
  readonly zipf: number;
  readonly seed: number;
};

/** Makes records one at a time into its own arrays. */
export class ClickMaker {
  label = 0;
  /** Of the planted truth. */
  logit = 0;
  /** Numbers as they stand in text; −1: missing. */
  readonly counts = new Int32Array(DENSE);
  /** ln(1 + count), 0 where it is missing. */
  readonly dense = new Float32Array(DENSE);
  readonly ids = new Uint32Array(FIELDS);
  /** Values of each column, and how many those before it have together. */
  readonly cardinality: Uint32Array;
  readonly offset = new Uint32Array(FIELDS);
  private readonly tables: AliasTable[];
  private readonly seed: Uint64Halves;
  private readonly pairFirst = new Uint8Array(PAIRS);
  private readonly pairSecond = new Uint8Array(PAIRS);
  private readonly slope = new Float64Array(DENSE);
  private readonly bend = new Float64Array(DENSE);
  private readonly base: Uint64Halves = { low: 0, high: 0 };
  private readonly draw: Uint64Halves = { low: 0, high: 0 };

  constructor({ preset, rows, zipf, seed }: ClickParameters) {
    this.cardinality = Uint32Array.from({ length: FIELDS }, (_, f) => (preset === 'kaggle' ? Math.min(kaggleValues[f], rows) : rows));
    const known = new Map<number, AliasTable>();
    let sum = 0;
    this.tables = Array.from(this.cardinality, (values, f) => {
      this.offset[f] = sum;
      sum += values;
      const table = known.get(values) ?? new AliasTable(values, zipf);
      known.set(values, table);
      return table;
    });
    const product = BigInt.asUintN(64, BigInt(seed) * 0xd1342543de82ef95n);
    this.seed = { low: Number(product & 0xffffffffn), high: Number(product >> 32n) };
    for (let p = 0; p < PAIRS; p++) {
      this.pairFirst[p] = remainder(this.mixed(7000 + p, 0), FIELDS);
      this.pairSecond[p] = (this.pairFirst[p] + 1 + remainder(this.mixed(8000 + p, 0), FIELDS - 1)) % FIELDS;
    }
    for (let j = 0; j < DENSE; j++) {
      this.slope[j] = 0.1 * nearNormal(this.mixed(9000 + j, 0));
      this.bend[j] = 0.05 * nearNormal(this.mixed(9100 + j, 0));
    }
  }

  make(record: number): void {
    const { base, seed, counts, dense, ids } = this;
    mix64(record >>> 0, Math.floor(record / 0x100000000), base);
    mix64((base.low ^ seed.low) >>> 0, (base.high ^ seed.high) >>> 0, base);
    let logit = -1.45;
    for (let j = 0; j < DENSE; j++) {
      const drawn = this.drawn(100 + j);
      if (j >= 8 && (drawn.low & 15) === 0) {
        counts[j] = -1;
        dense[j] = 0;
      } else {
        // A Pareto tail up to about 20,000.
        counts[j] = Math.floor(1 / (1 - unit(drawn) * 0.99995)) - 1;
        dense[j] = log1pSingle(counts[j]);
      }
      const distance = dense[j] - 0.7;
      logit += this.slope[j] * distance + this.bend[j] * (distance * distance - 0.8);
    }
    for (let f = 0; f < FIELDS; f++) {
      ids[f] = permuted(this.tables[f].draw(this.drawn(200 + f)), this.cardinality[f], f);
      logit += 0.16 * this.trait(f, ids[f], 0);
    }
    for (let p = 0; p < PAIRS; p++) {
      const a = this.pairFirst[p];
      const b = this.pairSecond[p];
      let product = 0;
      for (let k = 1; k <= PARTS; k++) product += this.trait(a, ids[a], k) * this.trait(b, ids[b], k);
      logit += 0.12 * product;
    }
    this.logit = logit;
    this.label = unit(this.drawn(999)) < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
  }

  /** The eight hexadecimal digits that stand for an id in text; no two ids of any columns share them. */
  token(field: number): string {
    let x = (this.offset[field] + this.ids[field]) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return ((x ^ (x >>> 16)) >>> 0).toString(16).padStart(8, '0');
  }

  private drawn(purpose: number): Uint64Halves {
    const low = this.base.low + purpose;
    return this.mixed(low >>> 0, (this.base.high + (low > 0xffffffff ? 1 : 0)) >>> 0);
  }

  private mixed(low: number, high: number): Uint64Halves {
    mix64(low, high, this.draw);
    return this.draw;
  }

  private trait(field: number, id: number, part: number): number {
    return nearNormal(this.mixed(id, field * 64 + part));
  }
}

/** Draws ranks with chances of k^−s in constant time. Source: Walker 1977, Vose's order of building. */
class AliasTable {
  private readonly chance: Float64Array;
  private readonly alias: Uint32Array;

  constructor(
    private readonly size: number,
    exponent: number,
  ) {
    const weight = new Float64Array(size);
    let sum = 0;
    for (let i = 0; i < size; i++) {
      weight[i] = (i + 1) ** -exponent;
      sum += weight[i];
    }
    this.chance = new Float64Array(size).fill(1);
    this.alias = Uint32Array.from({ length: size }, (_, i) => i);
    const light = new Uint32Array(size);
    const heavy = new Uint32Array(size);
    let numLight = 0;
    let numHeavy = 0;
    for (let i = 0; i < size; i++) {
      weight[i] *= size / sum;
      if (weight[i] < 1) light[numLight++] = i;
      else heavy[numHeavy++] = i;
    }
    while (numLight > 0 && numHeavy > 0) {
      const small = light[--numLight];
      const great = heavy[numHeavy - 1];
      this.chance[small] = weight[small];
      this.alias[small] = great;
      weight[great] -= 1 - weight[small];
      if (weight[great] < 1) {
        numHeavy--;
        light[numLight++] = great;
      }
    }
  }

  draw({ low, high }: Uint64Halves): number {
    const place = multiplyHigh32(high, this.size);
    return low / 0x100000000 < this.chance[place] ? place : this.alias[place];
  }
}

/** A uniform number in [0, 1) of 53 bits. */
function unit({ low, high }: Uint64Halves): number {
  return (high * 0x200000 + (low >>> 11)) / 9007199254740992;
}

/** Near normal with variance 1: the sum of four uniform numbers of 16 bits. */
function nearNormal({ low, high }: Uint64Halves): number {
  const sum = (low & 0xffff) + (low >>> 16) + (high & 0xffff) + (high >>> 16);
  return ((sum - 131070) / 65535) * 1.7320508075688772;
}

function remainder(value: Uint64Halves, divisor: number): number {
  return Number(halvesToBigInt(value) % BigInt(divisor));
}

/** A fixed shuffle of 0 … size − 1: bits are mixed within the next power of two until the result lies below the size. */
function permuted(rank: number, size: number, field: number): number {
  const bits = 32 - Math.clz32(size > 1 ? size - 1 : 1);
  const mask = bits >= 32 ? 0xffffffff : 2 ** bits - 1;
  const shift = bits >> 1 || 1;
  let x = rank;
  do {
    x = ((Math.imul(x, 0x9e3779b1) + Math.imul(field, 0x1234567)) & mask) >>> 0;
    x ^= x >>> shift;
    x = (Math.imul(x, 0x85ebca6b) & mask) >>> 0;
    x = (x ^ (x >>> shift)) >>> 0;
  } while (x >= size);
  return x;
}

const { fround } = Math;
const LN2_HIGH = fround(6.9313812256e-1);
const LN2_LOW = fround(9.0580006145e-6);
/** Of the series of ln((1 + s) / (1 − s)). */
const SERIES = [0.66666668653, 0.40000000596, 0.28571429849, 0.22222198546, 0.1818357259, 0.15313838422, 0.1479819864].map(fround);

/**
 * ln(1 + x) of a whole number ≥ 0 in float32 arithmetic, every operation rounded: what C's log1pf gives in libraries that descend from
 * FDLIBM (glibc up to 2.40, musl, BSD). One in a hundred results is not the nearest float32, so Math.log1p would give other bits.
 */
function log1pSingle(x: number): number {
  if (x === 0) return 0;
  // 1 + x = 2^power · (1 + f) with √½ < 1 + f < √2; sums of whole numbers below 2²⁴ are exact.
  let power = 31 - Math.clz32(x + 1);
  let scaled = (x + 1) / 2 ** power;
  const fraction = Math.round((scaled - 1) * 0x800000);
  if (fraction >= 0x3504f7) {
    power++;
    scaled /= 2;
  }
  const f = fround(scaled - 1);
  const high = fround(power * LN2_HIGH);
  const low = fround(power * LN2_LOW);
  if (f === 0) return fround(high + low);
  const half = fround(fround(0.5 * f) * f);
  const s = fround(f / fround(2 + f));
  const z = fround(s * s);
  let series = SERIES[6];
  for (let i = 5; i >= 0; i--) series = fround(SERIES[i] + fround(z * series));
  series = fround(z * series);
  const tail = fround(s * fround(half + series));
  return fround(high - fround(fround(half - fround(tail + low)) - f));
}
