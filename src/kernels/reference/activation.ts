import { Activation } from '../kernel-backend.js';

/** y = activation(x) of one value. relu keeps NaN. */
export function activate(activation: Activation, x: number): number {
  switch (activation) {
    case Activation.none:
      return x;
    case Activation.relu:
      return Math.max(x, 0);
    case Activation.sigmoid:
      return 1 / (1 + Math.exp(-x));
    case Activation.tanh:
      return Math.tanh(x);
    default:
      throw new RangeError(`unknown activation ${String(activation satisfies never)}`);
  }
}

/** dy/dx from the output y. */
export function activationSlope(activation: Activation, y: number): number {
  switch (activation) {
    case Activation.none:
      return 1;
    case Activation.relu:
      return y > 0 ? 1 : 0;
    case Activation.sigmoid:
      return y * (1 - y);
    case Activation.tanh:
      return 1 - y * y;
    default:
      throw new RangeError(`unknown activation ${String(activation satisfies never)}`);
  }
}
