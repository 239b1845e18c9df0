import type { OptionEntry } from './option-table.js';
import { parseYaml } from './sources.js';

/** Words for true and false that flags and variables accept. */
const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
};

/** Splits at commas outside braces, so that the glob part-{0,1}.tsv stays whole; blanks at both ends and empty parts go. */
export function splitList(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    const letter = text[at];
    if (letter === '{') depth++;
    else if (letter === '}') depth = Math.max(0, depth - 1);
    else if (at === text.length || (letter === ',' && depth === 0)) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts.filter((part) => part !== '');
}

/**
 * The text of a flag or variable as a value of the option's type. Text that does not fit is returned as it is: validation then names it.
 *
 * @param source name of the flag or variable, for errors in inline YAML.
 */
export function parseOptionText(entry: OptionEntry, text: string, source: string): unknown {
  const { option } = entry;
  const trimmed = text.trim();
  if (option.nullable && trimmed === 'null') return null;
  switch (option.kind) {
    case 'integer':
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : text;
    case 'boolean':
      return Object.hasOwn(booleans, trimmed.toLowerCase()) ? booleans[trimmed.toLowerCase()] : text;
    case 'choice':
      return trimmed === 'true' || trimmed === 'false' ? trimmed === 'true' : trimmed;
    case 'text':
      return text;
    case 'list':
      return splitList(text);
    case 'object':
      return option.path === 'schema' && !/[{:\n]/.test(trimmed) ? trimmed : parseYaml(text, source);
    default:
      return option.kind satisfies never;
  }
}
