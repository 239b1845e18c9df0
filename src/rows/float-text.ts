const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Digits that tell every float32 from its neighbours. */
const MAX_DIGITS = 9;

/** 10⁰ … 10²²: those that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** How near to a decision double arithmetic is not trusted, relative to what is decided. Its errors are below 1e-6. */
const MARGIN = 1e-5;

/**
 * A float32 in the fewest digits that read back as the same float32: the first of C's `%.1g` … `%.9g` that does, so that programs in other
 * languages write the same text. `nan`, `inf`, `-inf` for what is not finite.
 *
 * @param value a float32 (as Float32Array hands it out).
 */
export function float32Text(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  return fastText(value) ?? exactText(value);
}

/** By double arithmetic, where that leaves no doubt; else null. */
function fastText(value: number): string | null {
  scratch[0] = value;
  const bits = scratchBits[0];
  // Below a power of two neighbours lie closer than above it.
  if ((bits & 0x7fffff) === 0) return null;
  const size = Math.abs(value);
  let exponent = Math.floor(Math.log10(size));
  if (exponent < -13 || exponent > 22) return null;
  let all = scaled(size, MAX_DIGITS - 1 - exponent);
  if (all >= 1e9) all = scaled(size, MAX_DIGITS - 1 - ++exponent);
  else if (all < 1e8) all = scaled(size, MAX_DIGITS - 1 - --exponent);
  // Half the distance to the neighbours.
  scratchBits[0] = bits & 0x7f800000;
  const reach = scratch[0] / 2 ** 24;
  let kept = 0;
  let keptDigits = 0;
  for (let digits = MAX_DIGITS; digits > 0; digits--) {
    const place = digits - 1 - exponent;
    const exact = digits === MAX_DIGITS ? all : scaled(size, place);
    const whole = Math.floor(exact);
    const rest = exact - whole;
    if (Math.abs(rest - 0.5) < MARGIN) return null;
    const rounded = rest > 0.5 ? whole + 1 : whole;
    if (rounded === POWERS[digits]) return null;
    const distance = Math.abs(scaled(rounded, -place) - size) / reach;
    if (Math.abs(distance - 1) < MARGIN) return null;
    if (distance > 1) break;
    kept = rounded;
    keptDigits = digits;
  }
  return keptDigits === 0 ? null : general(value < 0 ? '-' : '', String(kept), exponent);
}

function scaled(value: number, exponent: number): number {
  return exponent >= 0 ? value * POWERS[Math.min(exponent, 22)] : value / POWERS[-exponent];
}

function exactText(value: number): string {
  let text = '';
  for (let digits = 1; digits <= MAX_DIGITS; digits++) {
    text = rounded(Math.abs(value), digits);
    if (Math.fround(Number(text)) === Math.abs(value)) break;
  }
  const [mantissa, exponent] = text.split('e');
  return general(value < 0 ? '-' : '', mantissa.replace('.', ''), Number(exponent));
}

/** As toExponential, but what lies halfway goes to the even digit, as in C. */
function rounded(value: number, digits: number): string {
  const up = value.toExponential(digits - 1);
  const [mantissa] = value.toExponential(60).replace('.', '').split('e');
  const isHalf = /^50*$/.test(mantissa.slice(digits));
  const isEven = Number(mantissa[digits - 1]) % 2 === 0;
  if (!isHalf || !isEven) return up;
  // JavaScript rounds up; the digits that stand before the half are the even ones.
  const exponent = value.toExponential(60).split('e')[1];
  return `${mantissa[0]}.${mantissa.slice(1, digits)}e${exponent}`;
}

/** C's %g: plain where −4 ≤ exponent < number of digits, else with an exponent of two digits. */
function general(sign: string, digits: string, exponent: number): string {
  if (exponent < -4 || exponent >= digits.length) {
    const size = Math.abs(exponent);
    const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const fraction = digits.slice(exponent + 1);
  return `${sign}${digits.slice(0, exponent + 1)}${fraction === '' ? '' : `.${fraction}`}`;
}
