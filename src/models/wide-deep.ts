import { defineModel } from './define.js';
import {
  allEmbeddings,
  embeddingDefaults,
  firstOrderTerms,
  rowInitializer,
  towerDefaults,
  towerInput,
  uniformAround,
} from './zoo-parts.js';

/** Wide & Deep: logit = first order + tower(embeddings, numeric). */
export const wideDeep = defineModel({
  name: 'wide-deep',
  options: { ...embeddingDefaults, ...towerDefaults },
  build: (b, o) => {
    const wide = firstOrderTerms(b);
    const embeddings = allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(1 / 1024)));
    const deep = b.mlp(towerInput(b, embeddings), o.hidden, { ...o, name: 'deep' });
    return b.add([...wide, b.dense(deep, 1, { name: 'deep.logit' })], 'logit');
  },
});
