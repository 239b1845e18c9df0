// Which nodes and buffers of a record batch belong to which column.
import type { DataType, Field } from 'apache-arrow';
import type { ColumnField, ColumnKind } from './columns.js';

/** Type numbers of Arrow's schema, and the library's for dictionaries. */
export const T = {
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  interval: 11,
  list: 12,
  struct: 13,
  union: 14,
  fixedBinary: 15,
  fixedList: 16,
  map: 17,
  duration: 18,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  binaryView: 23,
  utf8View: 24,
  dictionary: -1,
} as const;

/** One step from a batch to a leaf: number of its node, of its first buffer, and its type. */
export type ArrowStep = { readonly type: DataType; readonly node: number; readonly buffer: number };

export type ArrowLeaf = ColumnField & { readonly steps: readonly ArrowStep[] };

export type ArrowLayout = {
  readonly leaves: readonly ArrowLeaf[];
  /** Columns that are passed over, with the reason. */
  readonly passedOver: readonly string[];
  readonly nodes: number;
  /** Buffers of a batch; null where the number differs from batch to batch. */
  readonly buffers: number | null;
};

/** Lays out the fields of a schema. @throws Error for types whose buffers are not known. */
export function layOut(fields: readonly Field[]): ArrowLayout {
  const leaves: ArrowLeaf[] = [];
  const passedOver: string[] = [];
  let nodes = 0;
  let buffers = 0;
  const visit = (type: DataType, name: string, above: readonly ArrowStep[], lists: number, hidden: boolean): void => {
    const steps = [...above, { type, node: nodes++, buffer: buffers }];
    const id = type.typeId as number;
    buffers += buffersOf(type, name);
    const children = (type.children ?? []) as readonly Field[];
    switch (id) {
      case T.struct:
        for (const child of children) visit(child.type, name === '' ? child.name : `${name}.${child.name}`, steps, lists, hidden);
        return;
      case T.list:
      case T.largeList:
      case T.fixedList:
        visit(children[0].type, name, steps, lists + 1, hidden);
        return;
      case T.map: {
        // Entries are a struct of a key and a value, however they are called.
        const entries = children[0];
        const [key, value] = entries.type.children as readonly Field[];
        const inner = [...steps, { type: entries.type, node: nodes++, buffer: buffers }];
        buffers += buffersOf(entries.type, name);
        visit(key.type, `${name}.key`, inner, lists + 1, hidden);
        visit(value.type, `${name}.value`, inner, lists + 1, hidden);
        return;
      }
      case T.union:
        if (!hidden) passedOver.push(`"${name}" is a union`);
        for (const child of children) visit(child.type, name, steps, lists, true);
        return;
    }
    if (hidden) return;
    const kind = kindOf(type);
    if (kind === null) passedOver.push(`"${name}" is of type ${type}`);
    else leaves.push({ name, kind, listDepth: lists, steps });
  };
  for (const field of fields) visit(field.type, field.name, [], 0, false);
  return { leaves, passedOver, nodes, buffers };
}

function buffersOf(type: DataType, name: string): number {
  switch (type.typeId as number) {
    case T.null:
      return 0;
    case T.struct:
    case T.fixedList:
      return 1;
    case T.binary:
    case T.utf8:
    case T.largeBinary:
    case T.largeUtf8:
      return 3;
    case T.union:
      // Version 5: no validity; types, and offsets where it is dense.
      return (type as unknown as { readonly mode: number }).mode === 0 ? 1 : 2;
    case T.int:
    case T.float:
    case T.bool:
    case T.decimal:
    case T.date:
    case T.time:
    case T.timestamp:
    case T.interval:
    case T.fixedBinary:
    case T.duration:
    case T.list:
    case T.largeList:
    case T.map:
    case T.dictionary:
      return 2;
    default:
      throw new Error(`column "${name}" is of type ${type}, which is not read: cast it, views to plain strings and lists, before writing`);
  }
}

function kindOf(type: DataType): ColumnKind | null {
  switch (type.typeId as number) {
    case T.int:
    case T.bool:
    case T.date:
    case T.time:
    case T.timestamp:
    case T.duration:
      return 'integer';
    case T.float:
      return (type as unknown as { readonly precision: number }).precision === 2 ? 'float64' : 'float32';
    case T.utf8:
    case T.largeUtf8:
    case T.decimal:
    case T.null:
      return 'text';
    case T.binary:
    case T.largeBinary:
    case T.fixedBinary:
      return 'bytes';
    case T.dictionary: {
      const inner = (type as unknown as { readonly dictionary: DataType }).dictionary;
      return [T.list, T.struct, T.map, T.dictionary].includes(inner.typeId as 12) ? null : kindOf(inner);
    }
    default:
      return null;
  }
}
