const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);

/** x (float32) rounded to bfloat16: to nearest, ties to even; too large a value becomes infinity, NaN stays NaN. */
export function roundToBf16(x: number): number {
  if (Number.isNaN(x)) return x;
  value[0] = x;
  bits[0] = ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000) >>> 0;
  return value[0];
}
