import { MonolithError } from '../base/index.js';
import { defineModel } from './define.js';
import { allEmbeddings, embeddingDefaults, needEmbeddings, normalBias, rowInitializer, towerDefaults, uniformAround } from './zoo-parts.js';

/**
 * DLRM: the numeric columns through a bottom tower ending in embeddingDim; all pairwise dots of its output and the embeddings; both through
 * the top tower. Shapes and starts as in facebookresearch/dlrm: weights N(0, 2/(in + out)), biases N(0, 1/out). Rows start uniform in
 * ±0.001 = ±1/√10⁶, the original's ±1/√rows for a million rows.
 */
export const dlrm = defineModel({
  name: 'dlrm',
  options: {
    ...embeddingDefaults,
    /** Hidden layers of the bottom tower; a last one of embeddingDim is added. */
    bottom: [512, 256],
    /** Hidden layers of the top tower; a last one of 1 is added. */
    top: [512, 256],
    activation: towerDefaults.activation,
    dropout: 0,
    batchNorm: false,
  },
  build: (b, o) => {
    const embeddings = needEmbeddings(allEmbeddings(b, o.embeddingDim, rowInitializer(o.embeddingInit, uniformAround(0.001))));
    const tower = { ...o, biasInitializer: normalBias };
    const vectors = b.inputs.sparse.length + (b.hasDense ? 1 : 0);
    if (vectors < 2)
      throw new MonolithError('InvalidModel', 'needs numeric columns or a second categorical feature: there is nothing to pair');
    let bottom = null;
    let all = embeddings;
    if (b.hasDense) {
      bottom = b.mlp(b.denseInput(), [...o.bottom, o.embeddingDim], { ...tower, name: 'bottom' });
      all = b.reshape(b.concat([bottom, embeddings], 'vectors'), [vectors, o.embeddingDim]);
    }
    const dots = b.dotInteraction(all, 'dots');
    const interactions = bottom === null ? dots : b.concat([bottom, dots], 'interactions');
    const top = b.mlp(interactions, o.top, { ...tower, name: 'top' });
    return b.dense(top, 1, { name: 'top.logit', biasInitializer: normalBias(1) });
  },
});
