import type { FeatureSchema, FeatureSpec } from '../features/index.js';

/** Integer and categorical columns of the Criteo sets. */
export const criteoIntegerColumns = 13;
export const criteoCategoricalColumns = 26;

/** What becomes of I1..I13: numbers, bucket ids, or both. */
export type CriteoIntegers = 'dense' | 'bucketized' | 'both';

/**
 * The built-in schema of Criteo text: label, I1..I13, C1..C26. Slot of Ck is k; slot of a bucketised Ik is 26 + k, its feature is named
 * Ik_bucket. Numbers go through ln(1 + max(x, 0)).
 */
export function criteoSchema(integers: CriteoIntegers): FeatureSchema {
  const numbers = Array.from({ length: criteoIntegerColumns }, (_, i) => `I${i + 1}`);
  const names = Array.from({ length: criteoCategoricalColumns }, (_, i) => `C${i + 1}`);
  const features: FeatureSpec[] = [];
  if (integers !== 'bucketized') for (const name of numbers) features.push({ name, type: 'numeric', transform: 'log1p' });
  names.forEach((name, i) => {
    features.push({ name, type: 'categorical', slot: i + 1 });
  });
  if (integers !== 'dense') {
    numbers.forEach((column, i) => {
      const slot = criteoCategoricalColumns + i + 1;
      features.push({ name: `${column}_bucket`, column, type: 'bucketized', method: 'log2-squared', slot });
    });
  }
  return { columns: ['label', ...numbers, ...names], label: { column: 'label' }, missingValues: [''], features };
}
