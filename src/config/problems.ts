import type { z } from 'zod';
import { MonolithError, suggest } from '../base/index.js';

/** One thing wrong with a configuration. */
export type Problem = {
  /** The sentence, beginning with the file, flag or variable. */
  readonly message: string;
  /** Dotted path of the option, or '' where the whole file is meant. */
  readonly path: string;
  /** File, flag or variable. */
  readonly source: string;
};

/** Most problems printed; more than a few lines are not read. */
const MAX_PROBLEMS_SHOWN = 10;

/** All problems as one error: a line each, the first one's path and source in the details. */
export function invalidConfig(problems: readonly Problem[]): MonolithError {
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map((problem) => problem.message);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more problems`);
  const first = problems[0];
  return new MonolithError('InvalidConfig', shown.join('\n'), {
    path: first?.path ?? '',
    source: first?.source ?? '',
    problems: problems.map((problem) => problem.message),
  });
}

/** Longest text of the user's that is repeated in a message. */
const MAX_TEXT_SHOWN = 60;

/** A value as a message shows it: short, on one line. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string') {
    return value.length > MAX_TEXT_SHOWN ? `${JSON.stringify(value.slice(0, MAX_TEXT_SHOWN))}…` : JSON.stringify(value);
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}

/** What is at a path inside a value; undefined where there is nothing. */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of path) {
    if (current === null || typeof current !== 'object') return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

/** Parts of zod's schemas that are looked through to find the keys of a mapping. */
type SchemaNode = {
  readonly shape?: Readonly<Record<string, SchemaNode>>;
  readonly element?: SchemaNode;
  readonly options?: readonly SchemaNode[];
  unwrap?(): SchemaNode;
};

/** Keys that a mapping at `path` inside a value of this schema may have. */
function keysAt(schema: SchemaNode, path: readonly PropertyKey[]): string[] {
  if (Array.isArray(schema.options)) return schema.options.flatMap((option) => (typeof option === 'object' ? keysAt(option, path) : []));
  if (schema.shape !== undefined) {
    if (path.length === 0) return Object.keys(schema.shape);
    const member = schema.shape[String(path[0])];
    return member === undefined ? [] : keysAt(member, path.slice(1));
  }
  if (schema.element !== undefined) return path.length === 0 ? [] : keysAt(schema.element, path.slice(1));
  return typeof schema.unwrap === 'function' ? keysAt(schema.unwrap(), path) : [];
}

function joined(base: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    base,
  );
}

/** Words for an issue of zod's: "expected …, got …", or a sentence of the schema's own. */
function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  const got = showValue(value);
  switch (issue.code) {
    case 'invalid_type': {
      const names: Record<string, string> = { string: 'text', int: 'an integer', number: 'a number', boolean: 'true or false' };
      const more: Record<string, string> = { array: 'a list', object: 'a mapping', record: 'a mapping' };
      const hint = issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean') ? '; put it in quotes' : '';
      return `expected ${names[issue.expected] ?? more[issue.expected] ?? issue.expected}, got ${got}${hint}`;
    }
    case 'too_small':
      if (typeof value === 'string' || Array.isArray(value)) return `expected at least ${issue.minimum}, got ${got}`;
      return `expected a number ${issue.inclusive === false ? '>' : '≥'} ${issue.minimum}, got ${got}`;
    case 'too_big':
      if (typeof value === 'string' || Array.isArray(value)) return `expected at most ${issue.maximum}, got ${got}`;
      return `expected a number ${issue.inclusive === false ? '<' : '≤'} ${issue.maximum}, got ${got}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map(String).join(', ')}, got ${got}`;
    default:
      return `${issue.message}, got ${got}`;
  }
}

/**
 * The problems that a schema finds in a mapping.
 *
 * @param place start of every message: `train.yaml: ` for a file, empty for a flag, whose name is then the `base`.
 * @param base  dotted path, flag or variable of the mapping.
 */
export function problemsOfMapping(
  schema: z.ZodType,
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
  at: { readonly source: string; readonly place: string; readonly base: string; readonly path: string },
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const problem = (message: string, path: readonly PropertyKey[]): Problem => ({
      message: `${at.place}${message}`,
      path: joined(at.path, path),
      source: at.source,
    });
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema as unknown as SchemaNode, issue.path);
      return issue.keys.map((key) => {
        const path = [...issue.path, key];
        return problem(`unknown option ${joined(at.base, path)}${suggestionText(suggest(key, known), known)}`, path);
      });
    }
    const inner = valueAt(value, issue.path);
    if (issue.code === 'invalid_union') {
      const kinds = 'options' in issue ? issue.options : undefined;
      if (kinds !== undefined) {
        const expected = `expected one of ${kinds.map(String).join(', ')}`;
        return [problem(`${joined(at.base, issue.path)}: ${expected}, got ${showValue(inner)}`, issue.path)];
      }
      // Of the alternatives of a union the one that went furthest says most.
      const closest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
      if (closest !== undefined && depth(closest) > 0) {
        return problemsOfMapping(
          schema,
          value,
          closest.map((deeper) => ({ ...deeper, path: [...issue.path, ...deeper.path] })),
          at,
        );
      }
    }
    return [problem(`${joined(at.base, issue.path)}: ${issueText(issue, inner)}`, issue.path)];
  });
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)));
}

/** Most names listed where there is nothing to suggest. */
const MAX_NAMES_LISTED = 14;

/** "; did you mean x?", or the names that there are, or where they are listed. */
export function suggestionText(suggestion: string | null, known: readonly string[]): string {
  if (suggestion !== null) return `; did you mean ${suggestion}?`;
  if (known.length > 0 && known.length <= MAX_NAMES_LISTED) return `; known here: ${known.join(', ')}`;
  return '; `monolith-local config` lists all options';
}
