import { MonolithError } from '../base/index.js';
import type { ModelBuilder, Node } from './builder.js';
import type { RowInitializer } from './model.js';

/** How embedding rows start, as a user writes it: uniform between two numbers, or normal around 0. null: the model's own default. */
export type EmbeddingInit = { readonly low: number; readonly high: number } | { readonly stddev: number } | null;

/** Options that every model with a tower has, with their defaults. */
export const towerDefaults = {
  /** Sizes of the hidden layers. */
  hidden: [400, 400],
  activation: 'relu' as 'none' | 'relu' | 'sigmoid' | 'tanh',
  dropout: 0,
  batchNorm: false,
};

/** Options of every model with embeddings; a model may choose another dimension. */
export const embeddingDefaults = { embeddingDim: 16, embeddingInit: null as EmbeddingInit };

/** A uniform initializer around zero. */
export function uniformAround(limit: number): RowInitializer {
  return { kind: 'uniform', low: -limit, high: limit };
}

/** The initializer that `embeddingInit` asks for. Throws InvalidModel when it is neither { low, high } nor { stddev }. */
export function rowInitializer(init: EmbeddingInit, fallback: RowInitializer): RowInitializer {
  if (init === null) return fallback;
  if (typeof init === 'object' && 'stddev' in init && typeof init.stddev === 'number' && init.stddev >= 0) {
    return { kind: 'normal', mean: 0, stddev: init.stddev };
  }
  if (typeof init === 'object' && 'low' in init && typeof init.low === 'number' && typeof init.high === 'number' && init.low <= init.high) {
    return { kind: 'uniform', low: init.low, high: init.high };
  }
  throw new MonolithError('InvalidModel', `embeddingInit must be { low, high } or { stddev }, got ${JSON.stringify(init)}`);
}

/** Bias start of a layer: normal with variance 1/units, as in facebookresearch/dlrm. */
export function normalBias(units: number): { kind: 'normal'; mean: number; stddev: number } {
  return { kind: 'normal', mean: 0, stddev: Math.sqrt(1 / units) };
}

/**
 * The first-order terms of a logit: the weights of the ids, the numeric columns times a weight each, and a bias (part of the numeric term,
 * or on its own when there are no numeric columns). Starts as torch.nn.Linear does: uniform ±1/√numDense; id weights start at 0.
 */
export function firstOrderTerms(b: ModelBuilder, decayBias = false): Node[] {
  const terms: Node[] = [];
  if (b.hasSparse) terms.push(b.linear());
  if (b.hasDense) {
    const limit = 1 / Math.sqrt(b.inputs.dense.length);
    const uniform = { kind: 'uniform', low: -limit, high: limit } as const;
    terms.push(b.dense(b.denseInput(), 1, { name: 'linear.numeric', weightInitializer: uniform, biasInitializer: uniform }));
  } else {
    terms.push(b.bias(1, 'linear.bias', decayBias));
  }
  return terms;
}

/** The embeddings of all categorical features, [F, D], or null when there are none. */
export function allEmbeddings(b: ModelBuilder, dim: number, initializer: RowInitializer): Node | null {
  return b.hasSparse ? b.embedding({ name: 'embedding', dim, initializer }) : null;
}

/** Embeddings flattened, then the numeric columns: the input of a tower. */
export function towerInput(b: ModelBuilder, embeddings: Node | null): Node {
  const parts = embeddings === null ? [] : [embeddings];
  if (b.hasDense) parts.push(b.denseInput());
  if (parts.length === 0) throw new MonolithError('InvalidModel', 'the data have neither categorical features nor numeric columns');
  return b.concat(parts, 'features');
}

/** Throws InvalidModel when a model that multiplies embeddings meets data without categorical features. */
export function needEmbeddings(embeddings: Node | null): Node {
  if (embeddings === null) throw new MonolithError('InvalidModel', 'needs categorical features, the data have none; try model dnn or lr');
  return embeddings;
}
