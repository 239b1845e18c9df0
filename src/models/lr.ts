import { defineModel } from './define.js';
import { firstOrderTerms } from './zoo-parts.js';

/**
 * Logistic regression: logit = Σ w[id] + numeric·w + b. With `regularizeBias`, weight decay also applies to the bias of a model without
 * numeric columns, as LIBLINEAR has it with -B 1.
 */
export const lr = defineModel({
  name: 'lr',
  options: { regularizeBias: false },
  build: (b, { regularizeBias }) => b.add(firstOrderTerms(b, regularizeBias), 'logit'),
});
