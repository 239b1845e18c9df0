/** Bits of one digit; three digits cover 32 bits and a table of 2048 counters stays in the first-level cache. */
const DIGIT_BITS = 11;
const DIGITS = 3;
const BUCKETS = 1 << DIGIT_BITS;

/**
 * Scores as unsigned numbers of the same order: sign bit flipped for positive ones, all bits for negative ones. −0 equals 0.
 *
 * @returns [n] keys, and whether a score is NaN.
 */
export function sortableKeys(scores: Float32Array): { readonly keys: Uint32Array; readonly hasNaN: boolean } {
  const copy = new Float32Array(scores.length);
  let hasNaN = false;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] + 0;
    copy[i] = score;
    if (Number.isNaN(score)) hasNaN = true;
  }
  const keys = new Uint32Array(copy.buffer);
  for (let i = 0; i < keys.length; i++) {
    const bits = keys[i];
    keys[i] = bits >>> 31 === 1 ? ~bits : bits | 0x80000000;
  }
  return { keys, hasNaN };
}

/**
 * Positions of `keys` in ascending order of key, equal keys in order of position: a radix sort with counters, O(n).
 *
 * @param keys [n] unsigned; read only.
 * @returns [n] positions. Takes 16 bytes an element while it works.
 */
export function sortedOrder(keys: Uint32Array): Uint32Array {
  const { length } = keys;
  let order = new Uint32Array(length);
  let orderNext = new Uint32Array(length);
  let sorted = keys.slice();
  let spare = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  const starts = new Uint32Array(BUCKETS);
  for (let digit = 0; digit < DIGITS; digit++) {
    const shift = digit * DIGIT_BITS;
    starts.fill(0);
    for (let i = 0; i < length; i++) starts[(sorted[i] >>> shift) & (BUCKETS - 1)]++;
    let start = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = starts[bucket];
      starts[bucket] = start;
      start += count;
    }
    for (let i = 0; i < length; i++) {
      const key = sorted[i];
      const to = starts[(key >>> shift) & (BUCKETS - 1)]++;
      spare[to] = key;
      orderNext[to] = order[i];
    }
    [order, orderNext] = [orderNext, order];
    [sorted, spare] = [spare, sorted];
  }
  return order;
}
