/**
 * Update rules. State per element (or row) and hyper-parameters, in the order in which `hyper` holds them
 * (g is the gradient after `weightDecay`: g = grad + weightDecay·w):
 *
 *   sgd             hyper [weightDecay]                             state none            w -= lr·g
 *   adagrad         hyper [weightDecay, initialAccumulator, epsilon] state a[n]            a += g²; w -= lr·g/(√a + epsilon)
 *   rowwiseAdagrad  hyper [weightDecay, initialAccumulator, epsilon] state a[1 per row]    a += mean(g²); w -= lr·g/(√a + epsilon)
 *   adam            hyper [weightDecay, beta1, beta2, epsilon]       state m[n], v[n], b1t, b2t (1 each per row)
 *                     b1t, b2t start at beta1, beta2 and are multiplied after each step (lazy: only steps that touch the row count)
 *                     lrt = lr·√(1−b2t)/(1−b1t); m += (g−m)(1−beta1); v += (g²−v)(1−beta2); w -= lrt·m/(√v + epsilon)
 *   ftrl            hyper [weightDecay, initialAccumulator, beta, l1, l2] state n[n], z[n]
 *                     n' = n + g²; s = (√n' − √n)/lr; z += g − s·w; w = |z| ≤ l1 ? 0 : lr·(sgn(z)·l1 − z)/(√n' + beta + l2·lr)
 *   movingAverage   hyper [momentum]                                state none            w += (1−momentum)·(grad − w)  (batch-norm statistics)
 *
 * Dense parameters use the same rules; a dense tensor is one row (rowwiseAdagrad: one accumulator for the tensor, by mean of g²).
 * State layout of a row of dim n: the arrays in the order listed, one after another (adam: m[n], v[n], b1t, b2t).
 */
export const OptimizerKind = { sgd: 0, adagrad: 1, rowwiseAdagrad: 2, adam: 3, ftrl: 4, movingAverage: 5 } as const;
export type OptimizerKind = (typeof OptimizerKind)[keyof typeof OptimizerKind];

/** Number of float32 of optimizer state for one row of `dim` values. */
export function optimizerStateLength(kind: OptimizerKind, dim: number): number {
  switch (kind) {
    case OptimizerKind.sgd:
    case OptimizerKind.movingAverage:
      return 0;
    case OptimizerKind.adagrad:
      return dim;
    case OptimizerKind.rowwiseAdagrad:
      return 1;
    case OptimizerKind.adam:
      return 2 * dim + 2;
    case OptimizerKind.ftrl:
      return 2 * dim;
    default:
      throw new RangeError(`unknown optimizer kind ${String(kind satisfies never)}`);
  }
}
