// Numbers in text, and the two functions of them that parsers need. Twin of native/parsers/number_text.h, equal to the bit.

/** Longer texts are no numbers. */
const LONGEST_NUMBER = 512;
const SPECIAL = /^[+-]?(nan|inf|infinity)$/i;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57;
}

/**
 * Parses bytes[start, end): [+-] digits [. digits] [e [+-] digits] | nan | inf | infinity, correctly rounded.
 * @returns null where it is no number.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number | null {
  const length = end - start;
  if (length === 0 || length > LONGEST_NUMBER) return null;
  // Plain whole numbers, the common case, without making a string.
  let i = start;
  if (bytes[i] === 45 || bytes[i] === 43) i++;
  if (end - i > 0 && end - i <= 15) {
    let value = 0;
    while (i < end && isDigit(bytes[i])) value = value * 10 + bytes[i++] - 48;
    if (i === end) return bytes[start] === 45 ? -value : value;
  }
  const text = latin1(bytes, start, end);
  if (NUMBER.test(text)) return Number(text);
  if (!SPECIAL.test(text)) return null;
  if (/nan$/i.test(text)) return Number.NaN;
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

// A number and its two words: one pair for the thread, since a logarithm is asked for with every number of a record.
const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/** Natural logarithm of x ≥ 1, by the same series as the native one. */
export function naturalLog(x: number): number {
  if (!(x < Number.POSITIVE_INFINITY)) return x;
  float[0] = x;
  let exponent = (words[1] >>> 20) - 1023;
  words[1] = (words[1] & 0xfffff) | 0x3ff00000;
  let m = float[0];
  // √2 rounded to a double, as in the native twin.
  if (m > Math.SQRT2) {
    m *= 0.5;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum = 1.0 / 23;
  for (let k = 21; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return exponent * Math.LN2 + 2 * s * sum;
}

/** ln(1 + max(x, 0)); NaN stays NaN. */
export function log1pPositive(x: number): number {
  if (!(x > 0)) return Number.isNaN(x) ? x : 0;
  const u = 1 + x;
  if (u === 1) return x;
  if (!(u < Number.POSITIVE_INFINITY)) return u;
  return naturalLog(u) * (x / (u - 1));
}
