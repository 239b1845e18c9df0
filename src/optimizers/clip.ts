/**
 * Factor that brings a gradient down to a norm: min(1, maxNorm/√sumSquares).
 *
 * @param sumSquares Σ g² over the whole gradient.
 * @param maxNorm    largest L2 norm allowed; 0 or less: no clipping.
 * @returns 1 when nothing is to be done, also for a non-finite norm: scaling would hide it (∞ → 0, NaN), the loss check names it.
 */
export function clipScale(sumSquares: number, maxNorm: number): number {
  if (!(maxNorm > 0)) return 1;
  const norm = Math.sqrt(sumSquares);
  return Number.isFinite(norm) && norm > maxNorm ? maxNorm / norm : 1;
}

/** Limits each of n gradient values to [−limit, limit], in place; limit 0 or less: no clipping. NaN stays NaN. */
export function clipValues(n: number, gradient: Float32Array, limit: number): void {
  if (!(limit > 0)) return;
  for (let i = 0; i < n; i++) {
    const g = gradient[i] as number;
    if (g > limit) gradient[i] = limit;
    else if (g < -limit) gradient[i] = -limit;
  }
}
