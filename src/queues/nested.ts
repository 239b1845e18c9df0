import { MonolithError } from '../base/index.js';

/** A tensor as a leaf of a nested structure: any typed array. */
export type TensorLeaf =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Tensors and plain values in lists and mappings, to any depth. */
export type Nested = TensorLeaf | string | number | boolean | bigint | null | readonly Nested[] | { readonly [key: string]: Nested };

/** Stands in a template where a tensor was. */
export class Placeholder {
  /** @param index place of the tensor among those of the structure, from 0. */
  constructor(readonly index: number) {}
}

/** A {@link Nested} whose tensors are placeholders. */
export type NestedTemplate =
  | Placeholder
  | string
  | number
  | boolean
  | bigint
  | null
  | readonly NestedTemplate[]
  | { readonly [key: string]: NestedTemplate };

/** Deepest nesting; a structure that holds itself ends here. */
const MAX_DEPTH = 100;

/**
 * Takes the tensors out of a structure: lists in order, mappings by ascending key. Other leaves stay in the template.
 * @throws InvalidArgument naming the path of a value that is none of {@link Nested}
 */
export function flattenNested(nested: Nested): { readonly template: NestedTemplate; readonly tensors: TensorLeaf[] } {
  const tensors: TensorLeaf[] = [];
  const visit = (value: Nested, path: string, depth: number): NestedTemplate => {
    if (depth > MAX_DEPTH) throw refuse(path, `nested deeper than ${MAX_DEPTH} levels`);
    if (isTensor(value)) return new Placeholder(tensors.push(value) - 1);
    if (Array.isArray(value)) return value.map((item: Nested, i) => visit(item, `${path}[${i}]`, depth + 1));
    if (isMapping(value)) {
      return Object.fromEntries(keysOf(value).map((key) => [key, visit(value[key], joined(path, key), depth + 1)]));
    }
    if (!isPlain(value)) throw refuse(path, `expected a typed array, a list, a mapping or a plain value, got ${kindOf(value)}`);
    return value as NestedTemplate;
  };
  const template = visit(nested, '', 0);
  return { template, tensors };
}

/** The structure of a template with these tensors in the places of their numbers. @throws InvalidArgument for a tensor too few */
export function fillTemplate(template: NestedTemplate, tensors: readonly TensorLeaf[]): Nested {
  if (template instanceof Placeholder) {
    const tensor = tensors[template.index];
    if (tensor === undefined) {
      throw new MonolithError('InvalidArgument', `placeholder ${template.index} has no tensor: got ${tensors.length} tensors`);
    }
    return tensor;
  }
  if (Array.isArray(template)) return template.map((item: NestedTemplate) => fillTemplate(item, tensors));
  if (isMapping(template)) {
    return Object.fromEntries(Object.entries(template).map(([key, member]) => [key, fillTemplate(member, tensors)]));
  }
  return template as Nested;
}

/** The tensors of a structure that must be the template's: same lists, same keys, same plain leaves. @throws InvalidArgument naming the path */
export function tensorsLike(template: NestedTemplate, nested: Nested): TensorLeaf[] {
  const tensors: TensorLeaf[] = [];
  const visit = (expected: NestedTemplate, value: Nested, path: string): void => {
    if (expected instanceof Placeholder) {
      if (!isTensor(value)) throw refuse(path, `expected a tensor, got ${kindOf(value)}`);
      tensors[expected.index] = value;
    } else if (Array.isArray(expected)) {
      if (!Array.isArray(value)) throw refuse(path, `expected a list of ${expected.length}, got ${kindOf(value)}`);
      if (value.length !== expected.length) throw refuse(path, `expected a list of ${expected.length}, got one of ${value.length}`);
      for (let i = 0; i < expected.length; i++) visit(expected[i], value[i], `${path}[${i}]`);
    } else if (isMapping(expected)) {
      const keys = Object.keys(expected);
      if (!isMapping(value)) throw refuse(path, `expected a mapping of ${keys.join(', ')}, got ${kindOf(value)}`);
      const missing = keys.find((key) => !Object.hasOwn(value, key));
      if (missing !== undefined) throw refuse(joined(path, missing), 'is missing');
      const extra = Object.keys(value).find((key) => !Object.hasOwn(expected, key));
      if (extra !== undefined) throw refuse(joined(path, extra), 'is not in the structure of the queue');
      for (const key of keys) visit(expected[key], value[key] as Nested, joined(path, key));
    } else if (!Object.is(value, expected)) {
      throw refuse(path, `expected ${kindOf(expected as Nested)}, got ${kindOf(value)}`);
    }
  };
  visit(template, nested, '');
  return tensors;
}

export function isTensor(value: unknown): value is TensorLeaf {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function isMapping<T>(value: T): value is T & { readonly [key: string]: never } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isTensor(value) && !(value instanceof Placeholder);
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
}

/** By code units, whatever the language of the host. */
function keysOf(value: object): string[] {
  return Object.keys(value).sort();
}

function joined(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function kindOf(value: unknown): string {
  if (isTensor(value)) return `a tensor of ${value.length}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}

function refuse(path: string, what: string): MonolithError {
  return new MonolithError('InvalidArgument', `${path === '' ? 'the structure' : path}: ${what}`, { path });
}
