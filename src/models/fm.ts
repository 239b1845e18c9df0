import { defineModel } from './define.js';
import { allEmbeddings, embeddingDefaults, firstOrderTerms, needEmbeddings, rowInitializer, uniformAround } from './zoo-parts.js';

/** Factorization machine: logit = first order + Σ_{i<j} e_i·e_j. Without a tower, pairs learn only from non-zero rows: ±0.01. */
export const fm = defineModel({
  name: 'fm',
  options: { ...embeddingDefaults },
  build: (b, o) => {
    const embeddings = needEmbeddings(allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(0.01))));
    return b.add([...firstOrderTerms(b), b.fm(embeddings)], 'logit');
  },
});
