import { z } from 'zod';
import { MonolithError } from '../base/index.js';
import { crossPartCount, crossPartProblem, type FeatureSchema, isSampling, maxSlot, partsOf } from '../features/index.js';
import { checkFilters, recordFilters } from './record-filter.js';

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

const cross = z.strictObject({
  name,
  type: z.literal('cross'),
  of: z.array(name).min(crossPartCount.least).max(crossPartCount.most),
  slot,
  missing: z.enum(['token', 'skip']).optional(),
});

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
    features: z.array(z.discriminatedUnion('type', [categorical, numeric, bucketized, cross])).min(1),
    filters: recordFilters.optional(),
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
      if (feature.type !== 'cross') return;
      feature.of.forEach((part, k) => {
        const problem = feature.of.indexOf(part) < k ? `part "${part}" stands twice` : crossPartProblem(schema.features, part);
        if (problem !== null) report(['features', i, 'of', k], problem);
      });
    });
    checkFilters(schema.filters ?? [], (path, message) => report(['filters', ...path], message));
    if (schema.columns === undefined) return;
    const columns = new Set(schema.columns);
    if (columns.size !== schema.columns.length) report(['columns'], 'a column name stands twice');
    const known = (path: (string | number)[], column: string): void => {
      if (!columns.has(column)) report(path, `column "${column}" is not in columns`);
    };
    schema.features.forEach((feature, i) => {
      if (feature.type !== 'cross') known(['features', i], feature.column ?? feature.name);
      else {
        partsOf(schema.features, feature).forEach(({ column }, k) => {
          known(['features', i, 'of', k], column);
        });
      }
    });
    if (schema.weight !== undefined) known(['weight', 'column'], schema.weight.column);
    schema.filters?.forEach((entry, i) => {
      if (!isSampling(entry) && entry.column !== undefined) known(['filters', i, 'column'], entry.column);
    });
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
