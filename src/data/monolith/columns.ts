// What a schema may call a column of Monolith's messages.
import { MonolithError, suggest } from '../../base/index.js';

/** How the values of a column are stored. */
export const ValueType = { none: 0, fidV1: 1, fidV2: 2, float: 3, double: 4, int64: 5, bytes: 6, fixed64: 7, slotFids: 8 } as const;

/** What the values of a type are called in messages. */
export const valueTypeNames = ['nothing', 'fids', 'fids', 'floats', 'doubles', 'integers', 'bytes', 'integers', 'fids'] as const;

export type LineIdField = { readonly number: number; readonly type: number; readonly repeated: boolean };
const field = (number: number, type: number, repeated = false): LineIdField => ({ number, type, repeated });

/** Fields of a LineId by name. */
export const lineIdFields: Readonly<Record<string, LineIdField>> = {
  uid: field(2, ValueType.fixed64),
  req_time: field(3, ValueType.int64),
  item_id: field(4, ValueType.fixed64),
  actions: field(6, ValueType.int64, true),
  chnid: field(19, ValueType.int64),
  pre_actions: field(23, ValueType.int64, true),
  sample_rate: field(27, ValueType.float),
  special_strategies: field(39, ValueType.int64, true),
  device_type: field(41, ValueType.bytes),
  cid: field(48, ValueType.bytes),
  user_id: field(49, ValueType.bytes),
  is_draw: field(87, ValueType.int64),
  rank: field(145, ValueType.int64),
  data_source_name: field(235, ValueType.bytes),
};

/** A column name taken apart: `name[2]` is value 2 of what is called `name`. */
export type ColumnName = {
  readonly base: string;
  /** −1: all values. */
  readonly index: number;
  readonly kind: 'label' | 'weight' | 'lineId' | 'slot' | 'floats' | 'feature';
  /** slot: its number; lineId, floats: the field's number. */
  readonly number: number;
};

const MOST_INDEX = 65535;
const instanceFloats: Readonly<Record<string, number>> = { value: 2, dense: 6 };

/** @throws InvalidConfig for an index, slot or LineId field that can't be. */
export function parseColumnName(name: string, instance: boolean, where: string): ColumnName {
  const match = /^(.+)\[(\d{1,6})\]$/.exec(name);
  const base = match?.[1] ?? name;
  const index = match === null ? -1 : Number(match[2]);
  const wrong = (message: string): MonolithError =>
    new MonolithError('InvalidConfig', `${where}: column "${name}": ${message}`, { column: name });
  if (index > MOST_INDEX) throw wrong(`indices end at ${MOST_INDEX}`);
  if (base === 'label' || base === '__LABEL__') return { base: 'label', index, kind: 'label', number: 0 };
  if (base === 'instance_weight') return { base, index, kind: 'weight', number: 0 };
  if (base.startsWith('line_id.')) {
    const part = base.slice('line_id.'.length);
    const known = Object.hasOwn(lineIdFields, part) ? lineIdFields[part] : undefined;
    if (known !== undefined) return { base, index, kind: 'lineId', number: known.number };
    const names = Object.keys(lineIdFields);
    const meant = suggest(part, names);
    throw wrong(`a LineId has no ${part}${meant === null ? `; it has ${names.join(', ')}` : `; did you mean line_id.${meant}?`}`);
  }
  if (instance) {
    const slot = /^fc_slot_(\d+)$/.exec(base);
    if (slot !== null && Number(slot[1]) > 1023) throw wrong('fids of an Instance are of layout v1, whose slots end at 1023');
    if (slot !== null) return { base, index, kind: 'slot', number: Number(slot[1]) };
    if (Object.hasOwn(instanceFloats, base)) return { base, index, kind: 'floats', number: instanceFloats[base] };
  }
  return { base, index, kind: 'feature', number: 0 };
}
