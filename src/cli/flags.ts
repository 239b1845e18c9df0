import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MonolithError, type Variables } from '../base/index.js';
import { type ResolvedConfig, resolveConfig } from '../config/index.js';

/** What yargs hands to a command: flags as texts, the config file under `config`. */
export type CommandArguments = { readonly [flag: string]: unknown };

/** Keys of yargs and of the commands themselves, which are no options of a run. */
const NOT_OPTIONS = new Set(['_', '$0', 'config', 'path', 'verify', 'output', 'explain', 'help', 'version']);

/** What takes a saved split back. */
const NO_SPLIT = {
  'data.split.by': 'none',
  'data.split.fraction': '0',
  'data.split.column': 'null',
  'data.split.eval-values': [],
  'data.split.rows': 'null',
};

/** The configuration of `train`, `describe` and `config`: defaults < file < environment < flags. @throws InvalidConfig */
export function configOf(args: CommandArguments, env: Variables): ResolvedConfig {
  return resolveConfig({ file: fileOf(args), env, flags: optionFlags(args) });
}

/** The configuration of `worker`. @throws InvalidConfig, also for worker 0, which is the chief */
export function configOfWorker(args: CommandArguments, env: Variables): ResolvedConfig {
  const resolved = configOf({ ...args, distributed: true, role: 'worker' }, env);
  const { distributed, discovery, workers } = resolved.config;
  // These discoveries say which process this is, whatever the options do.
  if (distributed.role === 'chief' && discovery.kind !== 'tf-config' && discovery.kind !== 'mlp') {
    const which = workers > 1 ? `expected 1 to ${workers - 1}` : 'this run has no other';
    throw new MonolithError('InvalidConfig', `--index: worker 0 is the chief, which is started by: train --distributed; ${which}, got 0`);
  }
  return resolved;
}

/**
 * The configuration of `eval` and `predict`: without a file, that of the run folder. `--data` names the data to be looked at.
 * @throws InvalidConfig
 */
export function configOfTrained(args: CommandArguments, env: Variables): ResolvedConfig {
  const flags = { ...optionFlags(args) };
  if (flags.data !== undefined && flags['eval-data'] === undefined) {
    flags['eval-data'] = flags.data;
    delete flags.data;
  }
  // Data of their own are taken whole: how the training data were split says nothing of them.
  if (flags['eval-data'] !== undefined && flags['data.split.by'] === undefined) Object.assign(flags, NO_SPLIT);
  const modelDir = typeof flags['model-dir'] === 'string' ? flags['model-dir'] : null;
  const saved = modelDir === null ? null : join(modelDir, 'config.yaml');
  const file = fileOf(args) ?? (saved !== null && existsSync(saved) ? saved : undefined);
  return resolveConfig({ file, env, flags });
}

/** Endings of data files, plain or compressed: nobody's config file. */
const DATA_FILE = /\.(csv|tsv|txt|gz|zlib|zz|zst|snappy|sz|bin|tfrecords?|jsonl|ndjson|vw|npz|libsvm|svm|libffm|ffm|parquet)$/i;

function fileOf(args: CommandArguments): string | undefined {
  if (typeof args.config !== 'string') return undefined;
  if (DATA_FILE.test(args.config)) {
    throw new MonolithError(
      'InvalidConfig',
      `${args.config} looks like data, not like a config file (YAML or JSON); for data say --data ${args.config}`,
    );
  }
  return args.config;
}

function optionFlags(args: CommandArguments): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([flag, value]) => !NOT_OPTIONS.has(flag) && value !== undefined));
}
