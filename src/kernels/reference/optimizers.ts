/**
 * The update rules of {@link OptimizerKind} on one slice: the specification that native/optimizers follows bit for bit.
 *
 * Every operation is rounded to float32 (`fround`), hyper-parameters too; 1 − beta and 1 − momentum are subtracted in double first, Adam's
 * corrected rate is computed in double and rounded once. Sums of squares are in double, in eight lanes by index modulo 8, folded 4, 2, 1.
 * FTRL with learning rate 0 leaves the slice as it is (its σ would divide by 0).
 */
import { OptimizerKind } from '../kernel-backend.js';

const fround = Math.fround;

/** Σ x² of x[offset, offset + n): double, eight lanes by index modulo 8 folded 4, 2, 1. */
export function sumSquaresInLanes(x: Float32Array, offset: number, n: number): number {
  const lanes = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) lanes[i & 7] += x[offset + i] * x[offset + i];
  return lanes[0] + lanes[4] + (lanes[2] + lanes[6]) + (lanes[1] + lanes[5] + (lanes[3] + lanes[7]));
}

/** Number of hyper-parameters of a rule. */
export function hyperLength(kind: OptimizerKind): number {
  switch (kind) {
    case OptimizerKind.sgd:
    case OptimizerKind.movingAverage:
      return 1;
    case OptimizerKind.adagrad:
    case OptimizerKind.rowwiseAdagrad:
      return 3;
    case OptimizerKind.adam:
      return 4;
    case OptimizerKind.ftrl:
      return 5;
    default:
      throw new RangeError(`unknown optimizer kind ${String(kind satisfies never)}`);
  }
}

/** State of a new row of `dim` values at state[offset …]. */
export function initialState(kind: OptimizerKind, dim: number, hyper: ArrayLike<number>, state: Float32Array, offset: number): void {
  switch (kind) {
    case OptimizerKind.sgd:
    case OptimizerKind.movingAverage:
      return;
    case OptimizerKind.adagrad:
      state.fill(hyper[1], offset, offset + dim);
      return;
    case OptimizerKind.rowwiseAdagrad:
      state[offset] = hyper[1];
      return;
    case OptimizerKind.adam:
      state.fill(0, offset, offset + 2 * dim);
      state[offset + 2 * dim] = hyper[1];
      state[offset + 2 * dim + 1] = hyper[2];
      return;
    case OptimizerKind.ftrl:
      state.fill(hyper[1], offset, offset + dim);
      state.fill(0, offset + dim, offset + 2 * dim);
      return;
    default:
      throw new RangeError(`unknown optimizer kind ${String(kind satisfies never)}`);
  }
}

/** A slice of n values: w[wOffset …], its gradient and its state, each at its offset. */
export function updateSlice(
  kind: OptimizerKind,
  n: number,
  w: Float32Array,
  wOffset: number,
  gradient: Float32Array,
  gradientOffset: number,
  state: Float32Array,
  stateOffset: number,
  learningRate: number,
  hyper: ArrayLike<number>,
): void {
  const rate = fround(learningRate);
  const decay = fround(hyper[0]);
  const decayed = (i: number): number =>
    decay === 0 ? gradient[gradientOffset + i] : fround(gradient[gradientOffset + i] + fround(decay * w[wOffset + i]));
  switch (kind) {
    case OptimizerKind.sgd:
      for (let i = 0; i < n; i++) w[wOffset + i] -= fround(rate * decayed(i));
      return;
    case OptimizerKind.adagrad: {
      const epsilon = fround(hyper[2]);
      for (let i = 0; i < n; i++) {
        const g = decayed(i);
        const sum = fround(state[stateOffset + i] + fround(g * g));
        state[stateOffset + i] = sum;
        w[wOffset + i] -= fround(fround(rate * g) / fround(fround(Math.sqrt(sum)) + epsilon));
      }
      return;
    }
    case OptimizerKind.rowwiseAdagrad: {
      const lanes = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let i = 0; i < n; i++) lanes[i & 7] += decayed(i) * decayed(i);
      const squares = lanes[0] + lanes[4] + (lanes[2] + lanes[6]) + (lanes[1] + lanes[5] + (lanes[3] + lanes[7]));
      const sum = fround(state[stateOffset] + fround(squares / n));
      state[stateOffset] = sum;
      const divisor = fround(fround(Math.sqrt(sum)) + fround(hyper[2]));
      for (let i = 0; i < n; i++) w[wOffset + i] -= fround(fround(rate * decayed(i)) / divisor);
      return;
    }
    case OptimizerKind.adam: {
      const m = stateOffset;
      const v = stateOffset + n;
      const powers = stateOffset + 2 * n;
      const c1 = fround(1 - hyper[1]);
      const c2 = fround(1 - hyper[2]);
      const epsilon = fround(hyper[3]);
      const step = fround((rate * Math.sqrt(1 - state[powers + 1])) / (1 - state[powers]));
      for (let i = 0; i < n; i++) {
        const g = decayed(i);
        const mean = fround(state[m + i] + fround(fround(g - state[m + i]) * c1));
        const square = fround(state[v + i] + fround(fround(fround(g * g) - state[v + i]) * c2));
        state[m + i] = mean;
        state[v + i] = square;
        w[wOffset + i] -= fround(fround(step * mean) / fround(fround(Math.sqrt(square)) + epsilon));
      }
      state[powers] *= fround(hyper[1]);
      state[powers + 1] *= fround(hyper[2]);
      return;
    }
    case OptimizerKind.ftrl: {
      if (rate === 0) return;
      const beta = fround(hyper[2]);
      const l1 = fround(hyper[3]);
      const l2Rate = fround(fround(hyper[4]) * rate);
      const z = stateOffset + n;
      for (let i = 0; i < n; i++) {
        const g = decayed(i);
        const before = state[stateOffset + i];
        const after = fround(before + fround(g * g));
        const root = fround(Math.sqrt(after));
        const sigma = fround(fround(root - fround(Math.sqrt(before))) / rate);
        const zi = fround(state[z + i] + fround(g - fround(sigma * w[wOffset + i])));
        state[stateOffset + i] = after;
        state[z + i] = zi;
        const pull = fround((zi < 0 ? -l1 : l1) - zi);
        w[wOffset + i] = Math.abs(zi) <= l1 ? 0 : fround(rate * pull) / fround(fround(root + beta) + l2Rate);
      }
      return;
    }
    case OptimizerKind.movingAverage: {
      const c = fround(1 - hyper[0]);
      for (let i = 0; i < n; i++) {
        w[wOffset + i] += fround(c * fround(gradient[gradientOffset + i] - w[wOffset + i]));
      }
      return;
    }
    default:
      throw new RangeError(`unknown optimizer kind ${String(kind satisfies never)}`);
  }
}
