import { defineModel } from './define.js';
import { firstOrderTerms } from './zoo-parts.js';

/** Logistic regression: logit = Σ w[id] + numeric·w + b. */
export const lr = defineModel({
  name: 'lr',
  build: (b) => b.add(firstOrderTerms(b), 'logit'),
});
