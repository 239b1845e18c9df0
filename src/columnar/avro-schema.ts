// The schema of an Avro file as a tree of what stands in its records, and the columns that come out of it.
import type { ColumnField, ColumnKind } from './columns.js';
import { unsupported } from './problem.js';

const MOST_NESTING = 32;
/** A named type may occur many times, and types in it again: what a short text says has no end otherwise. */
const MOST_NODES = 1 << 16;

/** How one value is stored. Leaves have a column; −1 in all kinds: passed over. */
export type AvroNode =
  | { readonly type: 'null' }
  | { readonly type: 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string'; readonly leaf: number }
  | { readonly type: 'bytes'; readonly leaf: number; readonly scale: number | null }
  | { readonly type: 'fixed'; readonly leaf: number; readonly size: number; readonly scale: number | null; readonly uuid: boolean }
  | { readonly type: 'enum'; readonly leaf: number; readonly symbols: readonly string[] }
  | { readonly type: 'record'; readonly fields: readonly AvroNode[] }
  | { readonly type: 'array'; readonly items: AvroNode; readonly leaves: readonly number[] }
  | { readonly type: 'map'; readonly key: number; readonly values: AvroNode; readonly leaves: readonly number[] }
  | { readonly type: 'union'; readonly branches: readonly AvroNode[]; readonly leaves: readonly number[] };

export type AvroLeaf = ColumnField & { readonly symbols: readonly string[] | null; readonly store: AvroStore };
export type AvroStore = 'int' | 'long' | 'float' | 'double' | 'boolean' | 'text' | 'enum';

export type AvroSchema = {
  readonly root: AvroNode;
  readonly leaves: readonly AvroLeaf[];
  /** Fields that are passed over, with the reason. */
  readonly passedOver: readonly string[];
};

type Json = string | readonly Json[] | { readonly [name: string]: unknown };

/** @throws DataFormat for what is no schema of records. */
export function readAvroSchema(path: string, text: string): AvroSchema {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unsupported({ path, part: 'header' }, `its schema is no JSON (${(error as Error).message})`);
  }
  const reader = new SchemaReader(path);
  return reader.read(json as Json);
}

class SchemaReader {
  private readonly leaves: AvroLeaf[] = [];
  private readonly passedOver: string[] = [];
  private nodes = 0;
  private readonly named = new Map<string, { readonly [name: string]: unknown }>();
  /** Records that are being read: one of them inside itself has no end. */
  private readonly open = new Set<string>();

  constructor(private readonly path: string) {}

  read(json: Json): AvroSchema {
    const root = this.node(json, '', 0, '', 0, false);
    if (root.type !== 'record') throw unsupported({ path: this.path }, `its values are of type ${root.type}, expected records`);
    const names = new Set<string>();
    for (const { name } of this.leaves) {
      if (names.has(name)) throw unsupported({ path: this.path, column: name }, 'two columns have this name');
      names.add(name);
    }
    return { root, leaves: this.leaves, passedOver: this.passedOver };
  }

  /** @param hidden nothing of it becomes a column. */
  private node(json: Json, name: string, lists: number, space: string, depth: number, hidden: boolean): AvroNode {
    if (++this.nodes > MOST_NODES) throw this.wrong(name, `its schema has more than ${MOST_NODES} parts`);
    if (depth > MOST_NESTING) throw this.wrong(name, `its schema is nested more than ${MOST_NESTING} deep`);
    if (Array.isArray(json)) return this.union(json as readonly Json[], name, lists, space, depth, hidden);
    if (typeof json === 'string') {
      const known = this.named.get(json.includes('.') || space === '' ? json : `${space}.${json}`) ?? this.named.get(json);
      return known === undefined
        ? this.primitive(json, {}, name, lists, hidden)
        : this.node(known as Json, name, lists, space, depth + 1, hidden);
    }
    if (json === null || typeof json !== 'object') throw this.wrong(name, `${JSON.stringify(json)} is no Avro type`);
    const schema = json as { readonly [name: string]: unknown };
    const { type } = schema;
    if (typeof type !== 'string') return this.node(type as Json, name, lists, space, depth + 1, hidden);
    const first = this.leaves.length;
    switch (type) {
      case 'record':
      case 'error': {
        const full = this.define(schema, space);
        if (this.open.has(full)) throw this.wrong(name, `record ${full} contains itself, which no column can hold`);
        this.open.add(full);
        if (!Array.isArray(schema.fields)) throw this.wrong(name, `record ${full} has no fields`);
        const inner = full.includes('.') ? full.slice(0, full.lastIndexOf('.')) : '';
        const fields = schema.fields.map((field: { readonly name?: unknown; readonly type?: unknown }) => {
          if (typeof field?.name !== 'string') throw this.wrong(name, `record ${full} has a field without a name`);
          const fieldName = name === '' ? field.name : `${name}.${field.name}`;
          return this.node(field.type as Json, fieldName, lists, inner, depth + 1, hidden);
        });
        this.open.delete(full);
        return { type: 'record', fields };
      }
      case 'array': {
        const items = this.node(schema.items as Json, name, lists + 1, space, depth + 1, hidden);
        return { type: 'array', items, leaves: range(first, this.leaves.length) };
      }
      case 'map': {
        const key = hidden ? -1 : this.leaf(`${name}.key`, 'text', 'text', lists + 1);
        const values = this.node(schema.values as Json, `${name}.value`, lists + 1, space, depth + 1, hidden);
        return { type: 'map', key, values, leaves: range(first, this.leaves.length) };
      }
      case 'enum': {
        this.define(schema, space);
        const symbols = schema.symbols;
        if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === 'string'))
          throw this.wrong(name, 'an enum without symbols');
        return { type: 'enum', leaf: hidden ? -1 : this.leaf(name, 'text', 'enum', lists, symbols), symbols };
      }
      case 'fixed': {
        this.define(schema, space);
        const { size } = schema;
        if (!Number.isInteger(size) || (size as number) < 0 || (size as number) > 1 << 24)
          throw this.wrong(name, `a fixed of size ${size}`);
        const scale = this.scaleOf(schema, name);
        const uuid = schema.logicalType === 'uuid' && size === 16;
        const leaf = hidden ? -1 : this.leaf(name, scale !== null || uuid ? 'text' : 'bytes', 'text', lists);
        return { type: 'fixed', leaf, size: size as number, scale, uuid };
      }
      default:
        return this.primitive(type, schema, name, lists, hidden);
    }
  }

  private union(branches: readonly Json[], name: string, lists: number, space: string, depth: number, hidden: boolean): AvroNode {
    const isNull = (branch: Json): boolean =>
      branch === 'null' || (typeof branch === 'object' && (branch as { type?: unknown }).type === 'null');
    const values = branches.filter((branch) => !isNull(branch));
    const several = values.length > 1;
    if (several && !hidden) this.passedOver.push(`"${name}" is a union of several types`);
    const first = this.leaves.length;
    const nodes = branches.map((branch) => this.node(branch, name, lists, space, depth + 1, hidden || several));
    return { type: 'union', branches: nodes, leaves: range(first, this.leaves.length) };
  }

  private primitive(type: string, schema: { readonly [name: string]: unknown }, name: string, lists: number, hidden: boolean): AvroNode {
    const leaf = (kind: ColumnKind, store: AvroStore): number => (hidden ? -1 : this.leaf(name, kind, store, lists));
    switch (type) {
      case 'null':
        return { type };
      case 'boolean':
      case 'int':
      case 'long':
        return { type, leaf: leaf('integer', type) };
      case 'float':
        return { type, leaf: leaf('float32', 'float') };
      case 'double':
        return { type, leaf: leaf('float64', 'double') };
      case 'string':
        return { type, leaf: leaf('text', 'text') };
      case 'bytes': {
        const scale = this.scaleOf(schema, name);
        return { type, leaf: leaf(scale === null ? 'bytes' : 'text', 'text'), scale };
      }
      default:
        throw this.wrong(name, `${JSON.stringify(type)} is no Avro type`);
    }
  }

  private leaf(name: string, kind: ColumnKind, store: AvroStore, listDepth: number, symbols: readonly string[] | null = null): number {
    this.leaves.push({ name, kind, listDepth, symbols, store });
    return this.leaves.length - 1;
  }

  private define(schema: { readonly [name: string]: unknown }, space: string): string {
    const { name, namespace } = schema;
    if (typeof name !== 'string') throw this.wrong('', 'a named type without a name');
    const own = typeof namespace === 'string' ? namespace : space;
    const full = name.includes('.') || own === '' ? name : `${own}.${name}`;
    this.named.set(full, schema);
    return full;
  }

  private scaleOf(schema: { readonly [name: string]: unknown }, name: string): number | null {
    if (schema.logicalType !== 'decimal') return null;
    const scale = schema.scale ?? 0;
    if (!Number.isInteger(scale) || (scale as number) < 0 || (scale as number) > 100) throw this.wrong(name, `a decimal of scale ${scale}`);
    return scale as number;
  }

  private wrong(column: string, what: string): Error {
    return unsupported(column === '' ? { path: this.path, part: 'header' } : { path: this.path, part: 'header', column }, what);
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
