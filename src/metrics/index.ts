export { exactAuc } from './auc.js';
export { BinaryAccumulator, type BinaryMetrics, evaluateBinary, normalizedEntropy } from './binary.js';
export { evaluateRegression, RegressionAccumulator, type RegressionMetrics } from './regression.js';
export { sortableKeys, sortedOrder } from './score-order.js';
export { Throughput } from './throughput.js';
