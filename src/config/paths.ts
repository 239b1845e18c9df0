import { join } from 'node:path';
import { isabs, isHdfsPath } from '../base/index.js';
import type { PathRule } from './option.js';

/** What stands before the path of a file that is followed. */
const TAIL = 'tail:';

/** Whether the value of `model` names a file and not a model of the zoo. */
export function isModelFile(model: string): boolean {
  return /[\\/]/.test(model) || /\.[cm]?[jt]s$/.test(model);
}

/**
 * A path as it stands in a file, made relative to the process's folder instead of the file's. A flag's path has folder '.'.
 * Standard input (-) and plain model names are left as they are.
 */
function resolvePath(value: string, rule: PathRule, folder: string): string {
  if (rule === 'data' && (value === '-' || /^(tcp|kafka):\/\//.test(value))) return value;
  if (rule === 'data' && value.startsWith(TAIL)) return `${TAIL}${resolvePath(value.slice(TAIL.length), rule, folder)}`;
  if (rule === 'module' && !isModelFile(value)) return value;
  if (rule === 'cache' && ['off', 'auto', 'true', 'false'].includes(value)) return value;
  const path = isabs(value) || folder === '.' ? value : join(folder, value);
  // A module needs the dot, without which it would look like the name of a package.
  return rule === 'module' && !isabs(path) && !path.startsWith('.') ? `./${path}` : path;
}

/** {@link resolvePath} for a text or a list of texts; anything else is returned as it is. */
export function resolvePaths(value: unknown, rule: PathRule, folder: string): unknown {
  if (typeof value === 'string') return resolvePath(value, rule, folder);
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? resolvePath(item, rule, folder) : item));
  return value;
}

/** The first path of a value that lies in HDFS; null where none does. */
export function hdfsPathIn(value: unknown): string | null {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.find((item): item is string => typeof item === 'string' && isHdfsPath(item)) ?? null;
}
