// Monolith's feature lists (feature_list.conf): which features a request has, how each is made, and its slot.
import { MonolithError } from '../../base/index.js';

/** One line of a feature list: its keys in the order in which they stand. */
export type FeatureListEntry = {
  readonly kind: 'feed' | 'feature' | 'cache';
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
  /** What the `slot` key says; null where there is none. */
  readonly slot: number | null;
  /** Layout of its fids: `feature_version`, 1 where that is absent. */
  readonly version: number;
  /** Whether all examples of a batch have one value. */
  readonly shared: boolean;
};

export type FeatureList = {
  /** Names after `column_name:`. */
  readonly columns: readonly string[];
  readonly entries: readonly FeatureListEntry[];
};

const kinds = { feed_name: 'feed', feature_name: 'feature', cache_name: 'cache' } as const;
const truths: readonly string[] = ['true', 'yes', 't', 'y', '1'];

/**
 * Reads a feature list's text: `key=value; key=value` a line, `#` begins a comment line, `column_name: a, b` names columns.
 *
 * @param where name of the file, for messages.
 * @throws DataFormat naming the line.
 */
export function parseFeatureList(text: string, where = 'feature list'): FeatureList {
  const columns: string[] = [];
  const entries: FeatureListEntry[] = [];
  text.split('\n').forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const wrong = (what: string): MonolithError =>
      new MonolithError('DataFormat', `${where} line ${i + 1}: ${what}`, { path: where, line: i + 1 });
    const names = /^column_name\s*:(.*)$/.exec(line);
    if (names !== null) {
      columns.push(
        ...(names[1] ?? '')
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== ''),
      );
      return;
    }
    const fields = new Map<string, string>();
    for (const part of line.split(';')) {
      if (part.trim() === '') continue;
      const at = part.indexOf('=');
      if (at < 1) throw wrong(`${JSON.stringify(part.trim().slice(0, 40))}, expected key=value`);
      const key = part.slice(0, at).trim();
      if (fields.has(key)) throw wrong(`${key} stands twice`);
      fields.set(key, part.slice(at + 1).trim());
    }
    const key = (Object.keys(kinds) as (keyof typeof kinds)[]).find((known) => fields.has(known));
    if (key === undefined) throw wrong(`expected one of ${Object.keys(kinds).join(', ')}`);
    const whole = (name: string, most: number): number | null => {
      const value = fields.get(name);
      if (value === undefined) return null;
      const number = Number(value);
      if (!/^\d+$/.test(value) || number > most) throw wrong(`${name}=${value}, expected a whole number up to ${most}`);
      return number;
    };
    const version = whole('feature_version', 2) ?? 1;
    const slot = whole('slot', version === 2 ? 32767 : 1023);
    const shared = truths.includes((fields.get('shared') ?? '').toLowerCase());
    entries.push({ kind: kinds[key], name: fields.get(key) ?? '', fields, slot, version, shared });
  });
  return { columns, entries };
}

/** The text of a feature list. */
export function formatFeatureList({ columns, entries }: FeatureList): string {
  const lines = entries.map(({ fields }) => [...fields].map(([key, value]) => `${key}=${value}`).join('; '));
  if (columns.length > 0) lines.unshift(`column_name: ${columns.join(', ')}`);
  return `${lines.join('\n')}\n`;
}
