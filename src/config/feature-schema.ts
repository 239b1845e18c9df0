import { z } from 'zod';
import { MonolithError } from '../base/index.js';

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

export type FeatureSpec = CategoricalFeature | NumericFeature | BucketizedFeature;

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
};

/** Texts that mean "no value" unless the schema says otherwise. */
export const defaultMissingValues: readonly string[] = ['', '?'];

/** Slots are 15 bits of a fid; 0 is the slot of LibSVM indices. */
export const maxSlot = 32767;

const name = z.string().min(1);
const combiner = z.enum(['sum', 'mean', 'sqrtn']).optional();
const slot = z.int().min(1).max(maxSlot).optional();
const finite = z.number();

const categorical = z.strictObject({
  name,
  type: z.literal('categorical'),
  column: name.optional(),
  slot,
  separator: z
    .string()
    .refine((text) => Buffer.byteLength(text) === 1, 'must be one ASCII character')
    .optional(),
  maxLength: z.int().min(1).optional(),
  combiner,
  missing: z.enum(['token', 'skip']).optional(),
});

const numeric = z
  .strictObject({
    name,
    type: z.literal('numeric'),
    column: name.optional(),
    transform: z.enum(['none', 'log1p', 'standardize']).optional(),
    mean: finite.optional(),
    stddev: finite.positive().optional(),
    missing: finite.optional(),
  })
  .refine(
    (f) => f.transform !== 'standardize' || (f.mean !== undefined && f.stddev !== undefined),
    "transform 'standardize' needs mean and stddev",
  );

const bucketized = z
  .strictObject({
    name,
    type: z.literal('bucketized'),
    column: name.optional(),
    slot,
    boundaries: z
      .array(finite)
      .min(1)
      .refine((list) => list.every((x, i) => i === 0 || x > (list[i - 1] as number)), 'must be ascending')
      .optional(),
    method: z.literal('log2-squared').optional(),
    combiner,
  })
  .refine((f) => (f.boundaries === undefined) !== (f.method === undefined), 'needs either boundaries or method');

/** Validator of {@link FeatureSchema}; unknown keys are errors. */
export const featureSchemaValidator = z
  .strictObject({
    columns: z.array(name).min(1).optional(),
    label: z.strictObject({
      column: name,
      positive: z.union([z.array(z.string()).min(1), z.strictObject({ atLeast: finite })]).optional(),
      greaterThan: z.strictObject({ column: name, times: finite.optional() }).optional(),
    }),
    weight: z.strictObject({ column: name }).optional(),
    missingValues: z.array(z.string()).optional(),
    features: z.array(z.discriminatedUnion('type', [categorical, numeric, bucketized])).min(1),
  })
  .superRefine((schema, context) => {
    const report = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    if (schema.label.positive !== undefined && schema.label.greaterThan !== undefined) {
      report(['label'], 'has positive and greaterThan; give one of them');
    }
    const seen = new Set<string>();
    schema.features.forEach((feature, i) => {
      if (seen.has(feature.name)) report(['features', i, 'name'], `feature "${feature.name}" stands twice`);
      seen.add(feature.name);
    });
    if (schema.columns === undefined) return;
    const columns = new Set(schema.columns);
    if (columns.size !== schema.columns.length) report(['columns'], 'a column name stands twice');
    const known = (path: (string | number)[], column: string): void => {
      if (!columns.has(column)) report(path, `column "${column}" is not in columns`);
    };
    schema.features.forEach((feature, i) => {
      known(['features', i], feature.column ?? feature.name);
    });
    if (schema.weight !== undefined) known(['weight', 'column'], schema.weight.column);
  });

/**
 * Checks a value read from a config or schema file.
 *
 * @param where name of the file or option, for the message.
 * @throws InvalidConfig naming the path of the first wrong value.
 */
export function parseFeatureSchema(value: unknown, where = 'schema'): FeatureSchema {
  const result = featureSchemaValidator.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue === undefined ? '' : issue.path.join('.');
  throw new MonolithError('InvalidConfig', `${where}${path === '' ? '' : ` ${path}`}: ${issue?.message ?? 'not a feature schema'}`, {
    where,
    path,
  });
}

/** A categorical or bucketized feature with its slot settled. */
export type SparseFeature = (CategoricalFeature | BucketizedFeature) & { readonly slot: number; readonly combiner: FeatureCombiner };

/** Splits the features of a schema: numeric ones in dense order, the others in feature-number order with slots (position + 1 where absent). */
export function splitFeatures(schema: FeatureSchema): { dense: NumericFeature[]; sparse: SparseFeature[] } {
  const dense: NumericFeature[] = [];
  const sparse: SparseFeature[] = [];
  schema.features.forEach((feature, i) => {
    if (feature.type === 'numeric') dense.push(feature);
    else sparse.push({ ...feature, slot: feature.slot ?? i + 1, combiner: feature.combiner ?? 'sum' });
  });
  return { dense, sparse };
}
