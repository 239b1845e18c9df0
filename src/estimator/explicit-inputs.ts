// Examples given by a program, as text of a format that the parsers of data files read: values meet the same rules on both ways.
import { MonolithError, suggest } from '../base/index.js';
import type { FeatureSchema, FeatureSpec } from '../features/index.js';

/** A value of one feature: a number, a name, several names of a bag; null where it is missing. */
export type FeatureValue = number | string | null | readonly (number | string)[];

/**
 * One example: values by feature name (or by the name of the column that features read), or in the order of the schema's features. For LibSVM:
 * values by index; for LibFFM: for each field `f0`, `f1`, … values by index.
 */
export type ExampleInput = { readonly [feature: string]: FeatureValue | { readonly [index: string]: number } } | readonly FeatureValue[];

/** Between the names of a bag whose feature has no separator of its own. */
const UNIT_SEPARATOR = '\u001f';

export type EncodeRules = {
  /** Spaces at both ends of a text are taken away, as in the data files. */
  readonly trim: boolean;
  /** Numbers that are not whole are float32, as in TFRecord. */
  readonly float32: boolean;
};

function wrong(index: number, feature: string | null, message: string): MonolithError {
  const place = feature === null ? `input ${index}` : `input ${index}, feature "${feature}"`;
  return new MonolithError('InvalidArgument', `predictWithInputs: ${place}: ${message}`, {
    input: index,
    ...(feature === null ? {} : { feature }),
  });
}

/** Examples of a schema as CSV, with the schema that reads it: a column for each feature. @throws InvalidArgument naming input and feature */
export function encodeExamples(
  inputs: readonly ExampleInput[],
  schema: FeatureSchema,
  rules: EncodeRules,
): { readonly text: string; readonly schema: FeatureSchema } {
  // Crosses are made of what the others are given: only their parts have cells.
  const given = schema.features.filter((feature) => feature.type !== 'cross');
  const bare = barePartsOf(schema.features);
  // Columns have names that no feature has: a part of a cross is looked for among the features first.
  let column = 'f';
  while (schema.features.some(({ name }) => name.startsWith(column))) column += '_';
  const cellOfPart = (part: string): string => (bare.includes(part) ? `${column}${given.length + bare.indexOf(part)}` : part);
  const features = schema.features.map((feature, i): FeatureSpec => {
    if (feature.type === 'cross') return { ...feature, slot: feature.slot ?? i + 1, of: feature.of.map(cellOfPart) };
    const own = { ...feature, column: `${column}${given.indexOf(feature)}` };
    if (own.type === 'numeric') return own;
    const slot = own.slot ?? i + 1;
    if (own.type === 'bucketized') return { ...own, slot };
    const bag = own.separator !== undefined || (own.maxLength ?? 1) > 1;
    const { separator = rules.float32 ? UNIT_SEPARATOR : undefined, missing = bag ? 'skip' : 'token' } = own;
    return { ...own, slot, missing, ...(separator === undefined ? {} : { separator }) };
  });
  const parts = bare.map((part): FeatureSpec => ({ name: part, type: 'categorical' }));
  const cells = [...features.filter((feature) => feature.type !== 'cross'), ...parts];
  const names = [...given, ...parts];
  const rows = inputs.map((input, index) => {
    const values = valuesOf(input, index, names);
    // A column that is never empty: no row is a blank line.
    return ['1', ...cells.map((feature, i) => quoted(cellOf(values[i], index, feature, rules)))].join(',');
  });
  const header = ['row', ...cells.map((_, i) => `${column}${i}`)].join(',');
  const label = { column: 'label' };
  const { missingValues } = schema;
  return {
    text: `${[header, ...rows].join('\n')}\n`,
    schema: { label, features, ...(missingValues === undefined ? {} : { missingValues }) },
  };
}

/** Columns that crosses name and no feature reads under that name, in order. */
function barePartsOf(features: readonly FeatureSpec[]): string[] {
  const named = new Set(features.map(({ name }) => name));
  const parts = features.flatMap((feature) => (feature.type === 'cross' ? feature.of : []));
  return [...new Set(parts)].filter((part) => !named.has(part));
}

/** The values of one example in the order of the features. */
function valuesOf(input: ExampleInput, index: number, features: readonly FeatureSpec[]): unknown[] {
  if (Array.isArray(input)) {
    if (input.length === features.length) return input;
    throw wrong(index, null, `has ${input.length} values, the schema has ${features.length} features`);
  }
  if (typeof input !== 'object' || input === null) throw wrong(index, null, `expected an object or a list, got ${JSON.stringify(input)}`);
  const given = new Map(Object.entries(input));
  const known = new Set(features.flatMap(({ name, column }) => [name, column ?? name]));
  for (const name of given.keys()) {
    if (known.has(name)) continue;
    const meant = suggest(name, [...known]);
    throw wrong(index, name, `the model has no such feature${meant === null ? '' : `; did you mean "${meant}"?`}`);
  }
  return features.map(({ name, column }) => {
    const key = given.has(name) ? name : (column ?? name);
    if (given.has(key)) return given.get(key);
    throw wrong(index, name, 'is not given; give null for a value that is missing');
  });
}

function cellOf(value: unknown, index: number, feature: FeatureSpec, rules: EncodeRules): string {
  const { name } = feature;
  const values: readonly unknown[] = Array.isArray(value) ? value : value === null ? [] : [value];
  if (feature.type !== 'categorical') {
    if (values.length > 1) throw wrong(index, name, `expected one number, got ${values.length} values`);
    return values.length === 0 ? '' : numberText(values[0], index, name, rules);
  }
  const texts = values.map((one) => {
    const text = typeof one === 'number' ? numberText(one, index, name, rules) : one;
    if (typeof text === 'string') return rules.trim ? text.replaceAll(/^ +| +$/g, '') : text;
    throw wrong(index, name, `expected a text, a number or a list of them, got ${shown(one)}`);
  });
  const { separator } = feature;
  if (texts.length > 1 && separator === undefined) throw wrong(index, name, `takes one value (it has no separator), got ${texts.length}`);
  // A single text may hold several values, as a cell of a file does; a list is taken at its word.
  const torn = Array.isArray(value) && separator !== undefined ? texts.find((text) => text.includes(separator)) : undefined;
  if (torn !== undefined)
    throw wrong(index, name, `${shown(torn)} holds the separator ${shown(separator)}; give its parts as values of the list`);
  return texts.join(separator ?? '');
}

function numberText(value: unknown, index: number, feature: string, { float32 }: EncodeRules): string {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number))
    return String(float32 && !Number.isInteger(number) ? Math.fround(number) : number);
  throw wrong(index, feature, `expected a finite number, got ${shown(value)}`);
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function shown(value: unknown): string {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Examples as LibSVM or LibFFM. @param fields of LibFFM; null for LibSVM @throws InvalidArgument naming input and feature */
export function encodePairs(inputs: readonly ExampleInput[], fields: number | null): string {
  const lines = inputs.map((input, index) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw wrong(index, null, `expected an object of ${fields === null ? 'values by index' : 'fields f0, f1, …'}`);
    }
    if (fields === null) return `0 ${pairs(input, index, '', '').join(' ')}`;
    const tokens = Object.entries(input).flatMap(([name, values]) => {
      const field = /^f(\d+)$/.exec(name);
      if (field === null || Number(field[1]) >= fields) throw wrong(index, name, `expected a field f0 … f${fields - 1}`);
      if (typeof values !== 'object' || values === null) throw wrong(index, name, 'expected an object of values by index');
      return pairs(values, index, `${Number(field[1])}:`, `${name}.`);
    });
    return `0 ${tokens.join(' ')}`;
  });
  return `${lines.join('\n')}\n`;
}

function pairs(values: object, index: number, prefix: string, name: string): string[] {
  return Object.entries(values).map(([key, value]) => {
    if (!/^\d+$/.test(key)) throw wrong(index, `${name}${key}`, 'expected a whole number as index');
    return `${prefix}${key}:${numberText(value, index, `${name}${key}`, { float32: false, trim: false })}`;
  });
}
