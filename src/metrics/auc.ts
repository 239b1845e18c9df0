import { MonolithError } from '../base/index.js';
import { sortableKeys, sortedOrder } from './score-order.js';

/**
 * Area under the ROC curve, exact over the whole set: the probability that a positive example scores above a negative one, ties counting half.
 *
 *     AUC = Σ_{p ∈ pos, n ∈ neg} w_p·w_n·([s_p > s_n] + ½[s_p = s_n]) / (Σ w_p · Σ w_n)
 *
 * Examples of weight 0 do not count, whatever their score and label. Without weights all sums are whole numbers, so that the result is the
 * correctly rounded quotient up to 9·10⁷ examples of each class.
 *
 * @param scores  [n] logits or probabilities; any monotone scale.
 * @param labels  [n] positive above 0.5.
 * @param weights [n] ≥ 0, or null for all ones.
 * @returns NaN if a class is empty or a counted score is NaN.
 * @throws ShapeMismatch when the lengths differ.
 * Cost: O(n), about 20 bytes an example while it works.
 */
export function exactAuc(scores: Float32Array, labels: Float32Array, weights: Float32Array | null): number {
  checkLengths('exactAuc', scores.length, labels, weights);
  if (weights?.some((weight) => weight === 0)) return countedAuc(scores, labels, weights);
  const { keys, hasNaN } = sortableKeys(scores);
  if (hasNaN) return Number.NaN;
  const order = sortedOrder(keys);
  let positives = 0;
  let negatives = 0;
  /** Twice the sum of the formula: halves would not be whole numbers. */
  let doubled = 0;
  for (let start = 0; start < order.length; ) {
    const key = keys[order[start]];
    let tiedPositives = 0;
    let tiedNegatives = 0;
    let end = start;
    for (; end < order.length && keys[order[end]] === key; end++) {
      const example = order[end];
      const weight = weights === null ? 1 : weights[example];
      if (labels[example] > 0.5) tiedPositives += weight;
      else tiedNegatives += weight;
    }
    doubled += tiedPositives * (2 * negatives + tiedNegatives);
    positives += tiedPositives;
    negatives += tiedNegatives;
    start = end;
  }
  return positives > 0 && negatives > 0 ? doubled / (2 * positives * negatives) : Number.NaN;
}

/** {@link exactAuc} over the examples whose weight is not 0: the others may hold NaN. */
function countedAuc(scores: Float32Array, labels: Float32Array, weights: Float32Array): number {
  const counted = weights.reduce((count, weight) => count + (weight === 0 ? 0 : 1), 0);
  const picked = [new Float32Array(counted), new Float32Array(counted), new Float32Array(counted)] as const;
  let at = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    picked[0][at] = scores[i];
    picked[1][at] = labels[i];
    picked[2][at++] = weights[i];
  }
  return exactAuc(...picked);
}

/** Throws ShapeMismatch unless labels and weights have one entry an example. */
export function checkLengths(where: string, examples: number, labels: Float32Array, weights: Float32Array | null): void {
  for (const [what, values] of [['labels', labels] as const, ['weights', weights] as const]) {
    if (values === null || values.length === examples) continue;
    const message = `${where}: ${what} has ${values.length} elements, expected ${examples}, one for each score`;
    throw new MonolithError('ShapeMismatch', message, { where, what, expected: examples, actual: values.length });
  }
}
