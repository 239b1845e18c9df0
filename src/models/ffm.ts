import { defineModel } from './define.js';
import { embeddingDefaults, firstOrderTerms, needEmbeddings, rowInitializer, uniformAround } from './zoo-parts.js';

/**
 * Field-aware factorization machine: logit = first order + Σ_{i<j} e[i→j]·e[j→i]. A row holds one vector of embeddingDim for every field,
 * so its length is fields × embeddingDim; hence the small default.
 */
export const ffm = defineModel({
  name: 'ffm',
  options: { ...embeddingDefaults, embeddingDim: 4 },
  build: (b, o) => {
    const fields = b.inputs.sparse.length;
    const initializer = rowInitializer(o.embeddingInit, uniformAround(0.01));
    const rows = b.hasSparse ? b.embedding({ name: 'embedding', dim: fields * o.embeddingDim, initializer }) : null;
    const vectors = b.reshape(needEmbeddings(rows), [fields, fields, o.embeddingDim]);
    return b.add([...firstOrderTerms(b), b.ffm(vectors)], 'logit');
  },
});
