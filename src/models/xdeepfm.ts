import { MonolithError } from '../base/index.js';
import type { Node } from './builder.js';
import { defineModel } from './define.js';
import {
  allEmbeddings,
  embeddingDefaults,
  firstOrderTerms,
  needEmbeddings,
  rowInitializer,
  towerDefaults,
  towerInput,
  uniformAround,
} from './zoo-parts.js';

/**
 * xDeepFM: logit = first order + tower(embeddings, numeric) + w·CIN(embeddings), where the feature maps of every CIN layer are summed over
 * the embedding dimension. cinActivation 'none' is what the paper found best.
 */
export const xdeepfm = defineModel({
  name: 'xdeepfm',
  options: {
    ...embeddingDefaults,
    ...towerDefaults,
    cinLayers: [64, 64],
    cinActivation: 'none' as 'none' | 'relu' | 'sigmoid' | 'tanh',
  },
  build: (b, o) => {
    if (o.cinLayers.length === 0) throw new MonolithError('InvalidModel', 'cinLayers must name at least one layer, for instance [64, 64]');
    const firstOrder = firstOrderTerms(b);
    const embeddings = needEmbeddings(allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(1 / 1024))));
    const deep = b.mlp(towerInput(b, embeddings), o.hidden, { ...o, name: 'deep' });
    const x0 = b.transpose(embeddings, 'cin.input');
    let x = x0;
    const pooled: Node[] = [];
    o.cinLayers.forEach((maps, i) => {
      x = b.cin(x, x0, maps, { activation: o.cinActivation, name: `cin.${i}` });
      pooled.push(b.sum(b.transpose(x, `cin.${i}.maps`), `cin.${i}.sum`));
    });
    const cinLogit = b.dense(b.concat(pooled, 'cin.joined'), 1, { name: 'cin.logit', useBias: false });
    return b.add([...firstOrder, cinLogit, b.dense(deep, 1, { name: 'deep.logit' })], 'logit');
  },
});
