import type { TrainingConfig } from '../config/index.js';
import { criteoSchema, isMonolithFormat } from '../data/index.js';
import { type FeatureSchema, type FeatureSpec, partsOf, splitFeatures } from '../features/index.js';

/** A feature whose ids have a slot of their own. */
export type SlotFeature = {
  readonly name: string;
  readonly slot: number;
  /** What else makes an id of a value, as text: two features that differ here have other ids for the same values. */
  readonly ids: string;
};

/** The categorical features of data with a schema; null where ids carry no slot that a schema gave (LibSVM, LibFFM). */
export function slotFeatures(schema: FeatureSchema | null): readonly SlotFeature[] | null {
  if (schema === null) return null;
  return splitFeatures(schema).sparse.map((feature) => ({ name: feature.name, slot: feature.slot, ids: idsOf(feature, schema.features) }));
}

function idsOf(feature: FeatureSpec, features: readonly FeatureSpec[]): string {
  if (feature.type === 'cross') {
    const parts = partsOf(features, feature).map((part) => (part.feature === null ? 'categorical' : idsOf(part.feature, features)));
    return JSON.stringify([feature.type, parts]);
  }
  return feature.type === 'bucketized' ? JSON.stringify([feature.type, feature.method ?? feature.boundaries]) : feature.type;
}

/** The feature schema that data are read with: the given one, or that of the format; null for formats without one. */
export function schemaInForce(data: Pick<TrainingConfig['data'], 'schema' | 'criteoIntegers'>, format: string): FeatureSchema | null {
  if (data.schema !== null) return data.schema;
  return format === 'criteo' || format === 'criteo-bin' ? criteoSchema(data.criteoIntegers) : null;
}

/** The same where ids have the slots that it says. Fids of Monolith's formats bring slots of their own: null. */
export function slotSchema(data: Pick<TrainingConfig['data'], 'schema' | 'criteoIntegers'>, format: string): FeatureSchema | null {
  return isMonolithFormat(format) ? null : schemaInForce(data, format);
}

function patternList(patterns: string): [text: string, expression: RegExp][] {
  const parts = patterns
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== 'none');
  const escaped = (text: string): string => text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*');
  return parts.map((part) => [part, new RegExp(`^${escaped(part)}$`)]);
}

/** A test for names: `*` stands for any characters, commas separate patterns, `none` matches nothing. */
export function nameMatcher(patterns: string): (name: string) => boolean {
  const list = patternList(patterns);
  return (name) => list.some(([, expression]) => expression.test(name));
}

/** Those of the patterns, `*` aside, that match none of the names: written wrong, most likely. */
export function idlePatterns(patterns: string, names: readonly string[]): string[] {
  const idle = patternList(patterns).filter(([text, expression]) => text !== '*' && !names.some((name) => expression.test(name)));
  return idle.map(([text]) => text);
}
