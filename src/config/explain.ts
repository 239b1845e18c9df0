import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { ResolvedConfig } from './merge.js';
import { type OptionEntry, optionTable } from './option-table.js';
import { optimizerNumbers } from './options.js';
import { resolvePaths } from './paths.js';
import type { TrainingConfig } from './training-config.js';

/** Longest value in the table of {@link explain}; the configuration file has it whole. */
const MAX_VALUE_WIDTH = 48;

function optionValue(config: TrainingConfig, keys: readonly string[]): unknown {
  let value: unknown = config;
  for (const key of keys) value = value === null || value === undefined ? undefined : (value as Record<string, unknown>)[key];
  return value;
}

/** Whether an option says something: a number that the chosen rule does not take, or one of a section that is null, does not. */
function applies(config: TrainingConfig, entry: OptionEntry): boolean {
  if (!entry.option.optional) return entry.nullableSection === null || optionValue(config, entry.keys) !== undefined;
  const rule = optionValue(config, [...entry.keys.slice(0, -1), 'kind']) as keyof typeof optimizerNumbers | undefined;
  const key = entry.keys[entry.keys.length - 1] as string;
  const numbers: readonly string[] = rule === undefined ? [] : ['learningRate', 'weightDecay', ...optimizerNumbers[rule]];
  return numbers.includes(key);
}

/** Every option in force with its value and where that comes from, in aligned columns; a line each. */
export function explain(resolved: Pick<ResolvedConfig, 'config' | 'origins'>): string {
  const rows: string[][] = [];
  for (const entry of optionTable) {
    const section = entry.nullableSection;
    if (section !== null && optionValue(resolved.config, section.split('.')) === null) {
      if (rows[rows.length - 1]?.[0] !== section) rows.push([section, 'null', 'default']);
      continue;
    }
    if (!applies(resolved.config, entry)) continue;
    const value = optionValue(resolved.config, entry.keys);
    const text = value === undefined ? '(of the rule)' : JSON.stringify(value);
    const cut = text.length > MAX_VALUE_WIDTH ? `${text.slice(0, MAX_VALUE_WIDTH - 1)}…` : text;
    rows.push([entry.path, cut, resolved.origins.get(entry.path) ?? 'default']);
  }
  const header = ['option', 'value', 'origin'];
  const widths = [0, 1].map((column) => Math.max(...[header, ...rows].map((row) => row[column].length)));
  return [header, ...rows].map((row) => `${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2]}`).join('\n');
}

/**
 * The configuration in force as a YAML file. Paths are written absolute, so that the file means the same run wherever it lies; read back by
 * `resolveConfig` it gives the same values.
 * @param folder that relative paths are in; '.' leaves them as they are: relative to the folder in which the file will lie.
 */
export function configToYaml(config: TrainingConfig, folder = resolve('.')): string {
  const copy = structuredClone(config) as unknown as Record<string, unknown>;
  for (const { keys, option } of optionTable) {
    if (option.path === null || option.path === 'schema') continue;
    const parent = optionValue(copy as unknown as TrainingConfig, keys.slice(0, -1)) as Record<string, unknown>;
    const key = keys[keys.length - 1] as string;
    parent[key] = resolvePaths(parent[key], option.path, folder);
  }
  return stringify(copy, { lineWidth: 140 });
}
