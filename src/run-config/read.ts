import { MonolithError, suggest } from '../base/index.js';
import { type Field, snakeCase } from './fields.js';

function wrong(message: string): MonolithError {
  return new MonolithError('RunConfig', message);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * The given fields, checked; names in camelCase or snake_case. A member that is undefined counts as not given.
 * @param where for messages: `RunConfig` or `RunnerConfig`.
 * @throws RunConfig for an unknown name, a field given under both its names, and a value that is none of the field.
 */
export function readFields(where: string, given: unknown, fields: Readonly<Record<string, Field<unknown>>>): Map<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw wrong(`${where}: expected an object of fields, got ${shown(given)}`);
  const names = new Map(Object.keys(fields).flatMap((name) => [[name, name] as const, [snakeCase(name), name] as const]));
  const result = new Map<string, unknown>();
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = names.get(key);
    if (name === undefined) {
      const near = suggest(key, key.includes('_') ? Object.keys(fields).map(snakeCase) : Object.keys(fields));
      throw wrong(`${where}: unknown field ${shown(key)}${near === null ? '' : `; did you mean ${near}?`}`);
    }
    if (result.has(name)) throw wrong(`${where}: ${name} is given twice, also as ${snakeCase(name)}; keep one of them`);
    const { read, expected } = fields[name];
    const kept = read(value);
    if (kept === undefined) throw wrong(`${where}: ${key}: expected ${expected}, got ${shown(value)}`);
    result.set(name, kept);
  }
  return result;
}

/** JSON text as a value. @throws RunConfig */
export function readJson(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MonolithError('RunConfig', `${where}: invalid JSON: ${(cause as Error).message}`, {}, { cause });
  }
}
