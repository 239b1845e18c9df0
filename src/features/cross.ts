// Parts of crosses, by the names that a schema gives them.
import type { BucketizedFeature, CategoricalFeature, CrossFeature, FeatureSchema, FeatureSpec } from './feature-schema.js';

/** Fewest and most parts of a cross. */
export const crossPartCount = { least: 2, most: 4 } as const;

/** What one part of a cross reads, and how its values become ids; null: as the texts of a categorical feature do. */
export type CrossPart = { readonly column: string; readonly feature: CategoricalFeature | BucketizedFeature | null };

/** Why a name can't be a part of a cross; null: it can. */
export function crossPartProblem(features: readonly FeatureSpec[], name: string): string | null {
  const feature = features.find((candidate) => candidate.name === name);
  if (feature?.type === 'cross') return `feature "${name}" is a cross; name its parts instead`;
  if (feature?.type === 'numeric') return `feature "${name}" is numeric; name a bucketized or categorical feature`;
  if (feature?.type === 'categorical' && (feature.separator !== undefined || (feature.maxLength ?? 1) > 1)) {
    return `feature "${name}" is a bag (separator or maxLength); parts of a cross have one value`;
  }
  return null;
}

/** The parts of a cross of a checked schema: features of these names, else columns. */
export function partsOf(features: readonly FeatureSpec[], cross: CrossFeature): CrossPart[] {
  return cross.of.map((name) => {
    const feature = features.find((candidate) => candidate.name === name);
    if (feature?.type !== 'categorical' && feature?.type !== 'bucketized') return { column: name, feature: null };
    return { column: feature.column ?? name, feature };
  });
}

/** The columns that the features of a schema read. */
export function featureColumns({ features }: Pick<FeatureSchema, 'features'>): string[] {
  return features.flatMap((feature) =>
    feature.type === 'cross' ? partsOf(features, feature).map(({ column }) => column) : [feature.column ?? feature.name],
  );
}
