import { MonolithError } from '../base/index.js';
import { checkCount } from '../layers/index.js';
import { defineModel } from './define.js';
import { allEmbeddings, embeddingDefaults, rowInitializer, towerDefaults, towerInput, uniformAround } from './zoo-parts.js';

/**
 * Deep & Cross: x0 = (embeddings, numeric) through cross layers and, side by side, through a tower; both outputs make the logit.
 * mode 'vector' is DCN (v1), 'matrix' is DCN-v2.
 */
export const dcn = defineModel({
  name: 'dcn',
  options: { ...embeddingDefaults, ...towerDefaults, crossLayers: 3, mode: 'matrix' },
  build: (b, o) => {
    if (o.mode !== 'vector' && o.mode !== 'matrix')
      throw new MonolithError('InvalidModel', `mode must be 'vector' or 'matrix', got '${o.mode}'`);
    checkCount('dcn', 'crossLayers', o.crossLayers);
    const embeddings = allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(1 / 1024)));
    const x0 = towerInput(b, embeddings);
    const deep = b.mlp(x0, o.hidden, { ...o, name: 'deep' });
    let x = x0;
    for (let i = 0; i < o.crossLayers; i++) {
      x = o.mode === 'vector' ? b.crossV1(x0, x, `cross.${i}`) : b.crossV2(x0, x, `cross.${i}`);
    }
    const joined = o.hidden.length === 0 ? x : b.concat([x, deep], 'joined');
    return b.dense(joined, 1, { name: 'logit' });
  },
});
