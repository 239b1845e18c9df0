import { defineModel } from './define.js';
import {
  allEmbeddings,
  embeddingDefaults,
  firstOrderTerms,
  needEmbeddings,
  normalBias,
  rowInitializer,
  towerDefaults,
  towerInput,
  uniformAround,
} from './zoo-parts.js';

/** DeepFM: logit = first order + FM(embeddings) + tower(embeddings, numeric), the embeddings shared by FM and tower. */
export const deepfm = defineModel({
  name: 'deepfm',
  options: { ...embeddingDefaults, ...towerDefaults },
  build: (b, o) => {
    const firstOrder = firstOrderTerms(b);
    const embeddings = needEmbeddings(allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(1 / 1024))));
    const secondOrder = b.fm(embeddings);
    const deep = b.mlp(towerInput(b, embeddings), o.hidden, { ...o, name: 'deep', biasInitializer: normalBias });
    const deepLogit = b.dense(deep, 1, { name: 'deep.logit', biasInitializer: normalBias(1) });
    return b.add([deepLogit, ...firstOrder, secondOrder], 'logit');
  },
});
