import { defineModel } from './define.js';
import { allEmbeddings, embeddingDefaults, rowInitializer, towerDefaults, towerInput, uniformAround } from './zoo-parts.js';

/** Embeddings and numeric columns through one tower. */
export const dnn = defineModel({
  name: 'dnn',
  options: { ...embeddingDefaults, ...towerDefaults },
  build: (b, o) => {
    const embeddings = allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(1 / 1024)));
    const deep = b.mlp(towerInput(b, embeddings), o.hidden, { ...o, name: 'deep' });
    return b.dense(deep, 1, { name: 'deep.logit' });
  },
});
