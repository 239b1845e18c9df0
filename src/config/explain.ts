import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { ResolvedConfig } from './merge.js';
import { optionTable } from './option-table.js';
import { resolvePaths } from './paths.js';
import type { RunConfig } from './run-config.js';

/** Longest value in the table of {@link explain}; the configuration file has it whole. */
const MAX_VALUE_WIDTH = 48;

function optionValue(config: RunConfig, keys: readonly string[]): unknown {
  let value: unknown = config;
  for (const key of keys) value = value === null || value === undefined ? undefined : (value as Record<string, unknown>)[key];
  return value;
}

/** Every option with its value and where that comes from, in aligned columns; a line each. */
export function explain(resolved: Pick<ResolvedConfig, 'config' | 'origins'>): string {
  const rows = optionTable.map((entry) => {
    const value = optionValue(resolved.config, entry.keys);
    const text = value === undefined ? '(of the rule)' : JSON.stringify(value);
    const shown = entry.nullableSection !== null && value === undefined ? '(none)' : text;
    const cut = shown.length > MAX_VALUE_WIDTH ? `${shown.slice(0, MAX_VALUE_WIDTH - 1)}…` : shown;
    return [entry.path, cut, resolved.origins.get(entry.path) ?? 'default'];
  });
  const header = ['option', 'value', 'origin'];
  const widths = [0, 1].map((column) => Math.max(...[header, ...rows].map((row) => row[column].length)));
  return [header, ...rows].map((row) => `${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2]}`).join('\n');
}

/**
 * The configuration in force as a YAML file. Paths are written absolute, so that the file means the same run wherever it lies; read back by
 * `resolveConfig` it gives the same values.
 */
export function configToYaml(config: RunConfig): string {
  const copy = structuredClone(config) as unknown as Record<string, unknown>;
  for (const { keys, option } of optionTable) {
    if (option.path === null || option.path === 'schema') continue;
    const parent = optionValue(copy as unknown as RunConfig, keys.slice(0, -1)) as Record<string, unknown>;
    const key = keys[keys.length - 1] as string;
    parent[key] = resolvePaths(parent[key], option.path, resolve('.'));
  }
  return stringify(copy, { lineWidth: 140 });
}
