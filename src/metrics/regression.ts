import { checkLengths } from './auc.js';

/** Figures of a regression on one set; NaN when it is empty. */
export type RegressionMetrics = {
  /** Examples of weight above 0. */
  readonly examples: number;
  readonly mse: number;
  readonly rmse: number;
  readonly mae: number;
  readonly meanPrediction: number;
  readonly meanLabel: number;
};

// Sums of a RegressionAccumulator (Float64), all but the count weighted.
const EXAMPLES = 0;
const WEIGHT = 1;
const SQUARED = 2;
const ABSOLUTE = 3;
const PREDICTION = 4;
const LABEL = 5;

/** Squared and absolute error of a stream of batches; mergeable like {@link BinaryAccumulator}. */
export class RegressionAccumulator {
  /** Length of {@link sums}. */
  static readonly numSums = 6;

  /** @param sums [numSums], where the sums are kept; a fresh array of zeros by default. */
  constructor(readonly sums: Float64Array = new Float64Array(RegressionAccumulator.numSums)) {}

  /**
   * Adds a batch. Allocates nothing.
   *
   * @param predictions [≥ count]
   * @param labels      [≥ count]
   * @param weights     [≥ count] ≥ 0 or null for all ones; examples of weight 0 are passed over, whatever else they hold.
   * @param count       examples of the batch; all predictions by default.
   */
  add(predictions: Float32Array, labels: Float32Array, weights: Float32Array | null, count: number = predictions.length): void {
    const { sums } = this;
    for (let i = 0; i < count; i++) {
      const weight = weights === null ? 1 : weights[i];
      if (weight === 0) continue;
      const error = predictions[i] - labels[i];
      sums[EXAMPLES]++;
      sums[WEIGHT] += weight;
      sums[SQUARED] += weight * error * error;
      sums[ABSOLUTE] += weight * Math.abs(error);
      sums[PREDICTION] += weight * predictions[i];
      sums[LABEL] += weight * labels[i];
    }
  }

  /** Adds what another accumulator has seen. */
  merge(other: RegressionAccumulator): void {
    for (let i = 0; i < RegressionAccumulator.numSums; i++) this.sums[i] += other.sums[i];
  }

  reset(): void {
    this.sums.fill(0);
  }

  /** The figures so far. */
  result(): RegressionMetrics {
    const { sums } = this;
    const weight = sums[WEIGHT];
    const mse = sums[SQUARED] / weight;
    return {
      examples: sums[EXAMPLES],
      mse,
      rmse: Math.sqrt(mse),
      mae: sums[ABSOLUTE] / weight,
      meanPrediction: sums[PREDICTION] / weight,
      meanLabel: sums[LABEL] / weight,
    };
  }
}

/**
 * All figures of a regression over a whole set.
 *
 * @param predictions [n]
 * @param labels      [n]
 * @param weights     [n] ≥ 0, or null for all ones.
 * @throws ShapeMismatch when the lengths differ.
 */
export function evaluateRegression(predictions: Float32Array, labels: Float32Array, weights: Float32Array | null): RegressionMetrics {
  checkLengths('evaluateRegression', predictions.length, labels, weights);
  const accumulator = new RegressionAccumulator();
  accumulator.add(predictions, labels, weights);
  return accumulator.result();
}
