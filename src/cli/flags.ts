import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ResolvedConfig, resolveConfig } from '../config/index.js';

/** What yargs hands to a command: flags as texts, the config file under `config`. */
export type CommandArguments = { readonly [flag: string]: unknown };

/** Keys of yargs and of the commands themselves, which are no options of a run. */
const NOT_OPTIONS = new Set(['_', '$0', 'config', 'path', 'verify', 'output', 'explain', 'top', 'help', 'version', 'rows']);

/** The configuration of `train`, `describe` and `config`: defaults < file < environment < flags. @throws InvalidConfig */
export function configOf(args: CommandArguments): ResolvedConfig {
  return resolveConfig({ file: fileOf(args), env: process.env, flags: optionFlags(args) });
}

/**
 * The configuration of `eval` and `predict`: without a file, that of the run folder. `--data` names the data to be looked at.
 * @throws InvalidConfig
 */
export function configOfTrained(args: CommandArguments): ResolvedConfig {
  const flags = { ...optionFlags(args) };
  if (flags.data !== undefined && flags['eval-data'] === undefined) {
    flags['eval-data'] = flags.data;
    delete flags.data;
  }
  const modelDir = typeof flags['model-dir'] === 'string' ? flags['model-dir'] : null;
  const saved = modelDir === null ? null : join(modelDir, 'config.yaml');
  const file = fileOf(args) ?? (saved !== null && existsSync(saved) ? saved : undefined);
  return resolveConfig({ file, env: process.env, flags });
}

function fileOf(args: CommandArguments): string | undefined {
  return typeof args.config === 'string' ? args.config : undefined;
}

function optionFlags(args: CommandArguments): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([flag, value]) => !NOT_OPTIONS.has(flag) && value !== undefined));
}
