import { checkLengths, exactAuc } from './auc.js';

/** Figures of a binary classifier on one set. NaN where a figure is not defined (an empty set or class). */
export type BinaryMetrics = {
  /** Examples of weight above 0. */
  readonly examples: number;
  /** Of these, those with a label above 0.5. */
  readonly positives: number;
  /** Area under the ROC curve, exact; NaN from an accumulator, which keeps no scores. */
  readonly auc: number;
  /** Mean cross-entropy in nats. */
  readonly logloss: number;
  /** Log loss over that of always predicting the mean label: below 1 is better than knowing the base rate only. */
  readonly normalizedEntropy: number;
  /** Σ predictions / Σ labels: 1 is calibrated, above 1 predicts too many. */
  readonly calibration: number;
  /** Share of examples on the right side of probability ½. */
  readonly accuracy: number;
  readonly meanPrediction: number;
  readonly meanLabel: number;
};

// Sums of a BinaryAccumulator (Float64), all but the counts weighted.
const EXAMPLES = 0;
const POSITIVES = 1;
const WEIGHT = 2;
const LOSS = 3;
const PREDICTION = 4;
const LABEL = 5;
const CORRECT = 6;

/**
 * Log loss, normalised entropy, calibration and accuracy of a stream of batches. The sums lie in one Float64Array, which may be shared memory;
 * sums of several accumulators are merged in a fixed order so that one seed gives one result.
 */
export class BinaryAccumulator {
  /** Length of {@link sums}. */
  static readonly numSums = 7;

  /** @param sums [numSums], where the sums are kept; a fresh array of zeros by default. */
  constructor(readonly sums: Float64Array = new Float64Array(BinaryAccumulator.numSums)) {}

  /**
   * Adds a batch. Allocates nothing.
   *
   * @param logits  [≥ count]
   * @param labels  [≥ count] 0 … 1
   * @param weights [≥ count] ≥ 0 or null for all ones; examples of weight 0 are passed over, whatever else they hold.
   * @param count   examples of the batch; all logits by default.
   */
  add(logits: Float32Array, labels: Float32Array, weights: Float32Array | null, count: number = logits.length): void {
    let examples = 0;
    let positives = 0;
    let weightSum = 0;
    let loss = 0;
    let prediction = 0;
    let label = 0;
    let correct = 0;
    for (let i = 0; i < count; i++) {
      const weight = weights === null ? 1 : weights[i];
      if (weight === 0) continue;
      const z = logits[i];
      const y = labels[i];
      const decay = Math.exp(-Math.abs(z));
      examples++;
      if (y > 0.5) positives++;
      weightSum += weight;
      // max(z, 0) − z·y + ln(1 + e^−|z|): no overflow, no loss of digits for confident predictions.
      loss += weight * (Math.max(z, 0) - z * y + Math.log1p(decay));
      prediction += weight * (z >= 0 ? 1 / (1 + decay) : decay / (1 + decay));
      label += weight * y;
      if (z > 0 === y > 0.5) correct += weight;
    }
    const { sums } = this;
    sums[EXAMPLES] += examples;
    sums[POSITIVES] += positives;
    sums[WEIGHT] += weightSum;
    sums[LOSS] += loss;
    sums[PREDICTION] += prediction;
    sums[LABEL] += label;
    sums[CORRECT] += correct;
  }

  /** Adds what another accumulator has seen. */
  merge(other: BinaryAccumulator): void {
    for (let i = 0; i < BinaryAccumulator.numSums; i++) this.sums[i] += other.sums[i];
  }

  reset(): void {
    this.sums.fill(0);
  }

  /** Mean loss so far; NaN before the first example. */
  get meanLoss(): number {
    return this.sums[LOSS] / this.sums[WEIGHT];
  }

  /** The figures so far. @param auc from elsewhere: an accumulator keeps no scores. */
  result(auc: number = Number.NaN): BinaryMetrics {
    const { sums } = this;
    const weight = sums[WEIGHT];
    const logloss = sums[LOSS] / weight;
    const meanLabel = sums[LABEL] / weight;
    return {
      examples: sums[EXAMPLES],
      positives: sums[POSITIVES],
      auc,
      logloss,
      normalizedEntropy: normalizedEntropy(logloss, meanLabel),
      calibration: sums[LABEL] > 0 ? sums[PREDICTION] / sums[LABEL] : Number.NaN,
      accuracy: sums[CORRECT] / weight,
      meanPrediction: sums[PREDICTION] / weight,
      meanLabel,
    };
  }
}

/**
 * Normalised entropy: log loss over the entropy of the base rate.
 *
 *     NE = logloss / −(p·ln p + (1 − p)·ln(1 − p)),  p = mean label
 *
 * @returns NaN where the base rate is 0 or 1, at which there is nothing to predict.
 * Source: He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014.
 */
export function normalizedEntropy(logloss: number, meanLabel: number): number {
  if (!(meanLabel > 0 && meanLabel < 1)) return Number.NaN;
  return logloss / -(meanLabel * Math.log(meanLabel) + (1 - meanLabel) * Math.log1p(-meanLabel));
}

/**
 * All figures of a binary classifier over a whole set.
 *
 * @param logits  [n] before the sigmoid.
 * @param labels  [n] 0 or 1.
 * @param weights [n] ≥ 0, or null for all ones; examples of weight 0 do not count.
 * @throws ShapeMismatch when the lengths differ.
 */
export function evaluateBinary(logits: Float32Array, labels: Float32Array, weights: Float32Array | null): BinaryMetrics {
  checkLengths('evaluateBinary', logits.length, labels, weights);
  const accumulator = new BinaryAccumulator();
  accumulator.add(logits, labels, weights);
  return accumulator.result(exactAuc(logits, labels, weights));
}
