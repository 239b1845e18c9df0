// What the columns of the data mean, without the checks of config files: threads that compute read this and load no validator.

import type { RecordFilter } from './record-filter.js';

/** How the vectors of a bag become one. */
export type FeatureCombiner = 'sum' | 'mean' | 'sqrtn';

/** A feature whose values are names: each value becomes the fid slot << 48 | (cityHash64(utf8 bytes) & (2^48 − 1)). */
export type CategoricalFeature = {
  readonly name: string;
  readonly type: 'categorical';
  /** Column (text) or feature name (TFRecord); the feature's name when absent. */
  readonly column?: string | undefined;
  /** 1..32767; position in `features` + 1 when absent. Features that share a slot share ids. */
  readonly slot?: number | undefined;
  /** One character between the values of a bag; absent: the whole text is one value. */
  readonly separator?: string | undefined;
  /** Values kept of a bag, the first ones. */
  readonly maxLength?: number | undefined;
  readonly combiner?: FeatureCombiner | undefined;
  /** 'token': a missing value has an id of its own (default of single values); 'skip': an empty bag (default of bags). */
  readonly missing?: 'token' | 'skip' | undefined;
};

/** A number that goes to the dense matrix. */
export type NumericFeature = {
  readonly name: string;
  readonly type: 'numeric';
  readonly column?: string | undefined;
  /** log1p: ln(1 + max(x, 0)); standardize: (x − mean) / stddev. */
  readonly transform?: 'none' | 'log1p' | 'standardize' | undefined;
  readonly mean?: number | undefined;
  readonly stddev?: number | undefined;
  /** Value of a missing cell, after the transform; 0 when absent. */
  readonly missing?: number | undefined;
};

/** A number cut into buckets; the bucket number is the id (not hashed), a missing cell has a bucket of its own. */
export type BucketizedFeature = {
  readonly name: string;
  readonly type: 'bucketized';
  readonly column?: string | undefined;
  readonly slot?: number | undefined;
  /** Ascending; bucket = number of boundaries ≤ x. */
  readonly boundaries?: readonly number[] | undefined;
  /** log2-squared: x > 2 → ⌊ln(x)²⌋, else the whole part of x as it is (kept apart from the former). */
  readonly method?: 'log2-squared' | undefined;
  readonly combiner?: FeatureCombiner | undefined;
};

/** One id for each combination of values of single-valued parts; it is missing where a part is. */
export type CrossFeature = {
  readonly name: string;
  readonly type: 'cross';
  /** 2 to 4 names of categorical or bucketized features, or of columns whose texts are hashed as those of categorical features are. */
  readonly of: readonly string[];
  readonly slot?: number | undefined;
  /** 'token': a missing combination has the id of the empty text (default; Monolith's formats: 'skip'); 'skip': an empty bag. */
  readonly missing?: 'token' | 'skip' | undefined;
  readonly column?: undefined;
};

export type FeatureSpec = CategoricalFeature | NumericFeature | BucketizedFeature | CrossFeature;

export type LabelSpec = {
  readonly column: string;
  /** Absent: the column holds the number. A list: 1 where the text is one of these, else 0. atLeast: 1 where the number is at least this. */
  readonly positive?: readonly string[] | { readonly atLeast: number } | undefined;
  /** 1 where the column's number is greater than `times` (default 1) that of another column, as floats, else 0; also 0 where the other is missing. */
  readonly greaterThan?: { readonly column: string; readonly times?: number | undefined } | undefined;
};

/** What the columns of the data mean. */
export type FeatureSchema = {
  /** Column names in file order, for text files without a header. */
  readonly columns?: readonly string[] | undefined;
  readonly label: LabelSpec;
  readonly weight?: { readonly column: string } | undefined;
  /** Texts that mean "no value"; ['', '?'] when absent. */
  readonly missingValues?: readonly string[] | undefined;
  readonly features: readonly FeatureSpec[];
  /** Records that are not trained or evaluated on. Predictions are made for all. */
  readonly filters?: readonly RecordFilter[] | undefined;
};

/** Texts that mean "no value" unless the schema says otherwise. */
export const defaultMissingValues: readonly string[] = ['', '?'];

/** Slots are 15 bits of a fid; 0 is the slot of LibSVM indices. */
export const maxSlot = 32767;

/** A feature that has ids, with its slot settled. */
export type SparseFeature = (CategoricalFeature | BucketizedFeature | CrossFeature) & {
  readonly slot: number;
  readonly combiner: FeatureCombiner;
};

/** Splits the features of a schema: numeric ones in dense order, the others in feature-number order with slots (position + 1 where absent). */
export function splitFeatures(schema: FeatureSchema): { dense: NumericFeature[]; sparse: SparseFeature[] } {
  const dense: NumericFeature[] = [];
  const sparse: SparseFeature[] = [];
  schema.features.forEach((feature, i) => {
    if (feature.type === 'numeric') dense.push(feature);
    else
      sparse.push({ ...feature, slot: feature.slot ?? i + 1, combiner: ('combiner' in feature ? feature.combiner : undefined) ?? 'sum' });
  });
  return { dense, sparse };
}
