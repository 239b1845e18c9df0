import type { Combiner, InitializerKind } from '../kernels/index.js';
import type { ParameterSpec } from '../layers/index.js';
import type { OptimizerSpec } from '../optimizers/index.js';

/** What a model may know of the data: names in schema order. Comes from the feature schema. */
export type ModelInputs = {
  /** Numeric columns, in the order of the dense matrix. */
  readonly dense: readonly string[];
  /** Categorical features, in schema order; index = feature number. */
  readonly sparse: readonly { readonly name: string; readonly combiner: Combiner }[];
};

export type RowInitializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly mean: number; readonly stddev: number };

/** One slice of a table's rows. optimizer null: the run's sparse optimizer; `role` lets a config give "linear" slices another one. */
export type SlicePlan = {
  readonly name: string;
  readonly dim: number;
  readonly role: 'linear' | 'embedding';
  readonly initializer: RowInitializer | null;
  readonly optimizer: OptimizerSpec | null;
};

/** A physical table: the features that use exactly these slices. Slices stand one after another in a row. */
export type TablePlan = {
  readonly name: string;
  /** Feature numbers of {@link ModelInputs.sparse}, ascending: the features of batch group g = table g, in this order. */
  readonly features: readonly number[];
  readonly slices: readonly SlicePlan[];
  /** Σ slice dims: floats of one row on the exchange. */
  readonly dim: number;
};

/** One dense parameter with its place in the flat parameter vector (offset in floats, a multiple of 16). */
export type ParameterPlan = ParameterSpec & { readonly fullName: string; readonly length: number; readonly offset: number };

/** What the engine needs to know of a model: plain JSON, equal in every thread. */
export type ModelPlan = {
  readonly name: string;
  readonly tables: readonly TablePlan[];
  readonly parameters: readonly ParameterPlan[];
  /** Length of the flat parameter vector in floats, padding included. */
  readonly parametersLength: number;
  readonly wholeBatch: boolean;
  readonly loss: 'bce' | 'mse';
};

export type { OptimizerName, OptimizerSpec } from '../optimizers/index.js';
export type { InitializerKind };
