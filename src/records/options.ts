// Options of a format, as a program or a command line gives them.
import { MonolithError, suggest } from '../base/index.js';
import type { RecordOptions } from './record-batch.js';

/** Kinds of options: `words` is a list with commas. */
type OptionKind = 'text' | 'number' | 'boolean' | 'words';
type ValueOf<Kind extends OptionKind> = Kind extends 'text'
  ? string
  : Kind extends 'number'
    ? number
    : Kind extends 'boolean'
      ? boolean
      : readonly string[];

/**
 * The options of a format, checked.
 *
 * @param known name and kind of each option that it has.
 * @throws InvalidConfig for an option that it does not have, with a suggestion, and for a value of another kind.
 */
export function takeOptions<Known extends { readonly [name: string]: OptionKind }>(
  format: string,
  options: RecordOptions,
  known: Known,
): { readonly [Name in keyof Known]?: ValueOf<Known[Name]> } {
  const taken: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const kind = known[name];
    if (kind === undefined) {
      const names = Object.keys(known);
      const meant = suggest(name, names);
      const hint = meant !== null ? `did you mean ${meant}?` : names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
      throw new MonolithError('InvalidConfig', `format ${format}: unknown option ${name}; ${hint}`, { option: name });
    }
    taken[name] = convert(format, name, kind, value);
  }
  return taken as { readonly [Name in keyof Known]?: ValueOf<Known[Name]> };
}

function convert(format: string, name: string, kind: OptionKind, value: string | number | boolean): unknown {
  const text = String(value);
  switch (kind) {
    case 'text':
      return text;
    case 'words':
      return text.split(',').map((word) => word.trim());
    case 'number':
      if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
      break;
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true';
      break;
    default:
      return kind satisfies never;
  }
  throw new MonolithError(
    'InvalidConfig',
    `format ${format}: option ${name} is ${JSON.stringify(value)}, expected ${kind === 'number' ? 'a number' : 'true or false'}`,
    {
      option: name,
    },
  );
}
