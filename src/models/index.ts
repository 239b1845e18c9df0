export { type ChunkContext, type Layer, LayerBase, type LayerBuffers, type ParameterSpec } from '../layers/index.js';
export {
  type ActivationName,
  type DenseLayerOptions,
  type EmbeddingOptions,
  ModelBuilder,
  Node,
  type TowerOptions,
} from './builder.js';
export {
  checkGradients,
  type GradientCheckOptions,
  type GradientCheckReport,
  type GradientComparison,
  gradientCheckInputs,
} from './check-gradients.js';
export { completeOptions, defineModel, type ModelDefinition, type ModelOptions, type ModelSource, planModel } from './define.js';
export { describe } from './describe.js';
export { initializeParameters } from './initialize.js';
export { loadModel } from './load.js';
export * from './model.js';
export { builtInModel, builtInModels } from './registry.js';
export { labelOutOfRange, ModelRuntime, type RuntimeBuffers } from './runtime.js';
export { type SyntheticBatch, type SyntheticOptions, syntheticBatch } from './synthetic-batch.js';
export type { EmbeddingInit } from './zoo-parts.js';
