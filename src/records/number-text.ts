// Numbers as texts, both ways.
import type { ValueKind } from './record-batch.js';

const WHOLE = /^-?(?:0|[1-9]\d{0,18})$/;
const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf|infinity)$/i;
const DIGITS = /^[+-]?\d+$/;
const LEADING_ZERO = /^[+-]?0\d/;
/** Whole numbers of so many characters are exact as doubles. */
const SAFE_CHARACTERS = 15;
const MOST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);

/** A 64-bit integer of a text in its one usual form (no plus, no zeros in front); null for any other text. */
export function parseInt64(text: string): bigint | null {
  if (text === '-0' || !WHOLE.test(text)) return null;
  if (text.length <= SAFE_CHARACTERS) return BigInt(Number(text));
  const value = BigInt(text);
  return value > MOST || value < LEAST ? null : value;
}

/** Whether {@link parseInt64} takes a text. */
function isInt64(text: string): boolean {
  return text.length <= SAFE_CHARACTERS ? text !== '-0' && WHOLE.test(text) : parseInt64(text) !== null;
}

/** A float of a text; null where it is none. */
export function parseFloat64(text: string): number | null {
  if (!NUMBER.test(text)) return null;
  const value = Number(text);
  if (!Number.isNaN(value)) return value;
  return /nan/i.test(text) ? Number.NaN : text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/**
 * Guesses a kind from texts.
 *
 * - int64: every text is a whole number of 64 bits in its one usual form, so that it is written again as it was;
 * - float64: every text is a number, none begins with a zero before another digit (007 is a name), and none is a whole number beyond ±2⁵³,
 *   which a float would change;
 * - text: anything else, and a column without a value.
 */
export class KindGuess {
  private values = 0;
  private whole = true;
  private float = true;

  add(text: string): void {
    this.values++;
    if (this.whole && isInt64(text)) {
      if (text.length > SAFE_CHARACTERS && !Number.isSafeInteger(Number(text))) this.float = false;
      return;
    }
    this.whole = false;
    if (!this.float) return;
    this.float = NUMBER.test(text) && !LEADING_ZERO.test(text) && !(DIGITS.test(text) && !Number.isSafeInteger(Number(text)));
  }

  get kind(): ValueKind {
    if (this.values === 0) return 'text';
    return this.whole ? 'int64' : this.float ? 'float64' : 'text';
  }
}

/** A double in the fewest digits that give it back; with `.0` where it is whole, so that it reads as a float again. */
export function float64Text(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return DIGITS.test(text) ? `${text}.0` : text;
}

/** A float32 in the fewest digits that give it back as a float32. */
export function float32Text(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return float64Text(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return float64Text(short);
  }
  return float64Text(Number(value.toPrecision(9)));
}
