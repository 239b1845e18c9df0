import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { faultOfHook, type TrainHook } from '../training/index.js';

/**
 * Hooks of the user's own: a JavaScript module that exports `hooks`, a list of hooks or a function that makes one from the configuration of the
 * run (and may be async).
 *
 * @param file relative to the current folder.
 * @throws InvalidConfig, naming the file, when it does not exist, does not load or exports no hooks.
 */
export async function loadHooks(file: string, config: TrainingConfig): Promise<readonly TrainHook[]> {
  const path = resolve(file);
  const fail = (text: string, cause?: unknown): MonolithError =>
    new MonolithError('InvalidConfig', `hooks: ${file}: ${text}`, { file }, { cause });
  const found = await stat(path).catch((cause: unknown) => {
    throw fail(`no such file (looked for ${path})`, cause);
  });
  if (!found.isFile()) throw fail('is no file; hooks are in a JavaScript module that exports `hooks`');
  let module: { readonly hooks?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly hooks?: unknown };
  } catch (cause) {
    throw fail(`could not be loaded: ${textOf(cause)}`, cause);
  }
  let { hooks } = module;
  if (typeof hooks === 'function') {
    try {
      hooks = await (hooks as (config: TrainingConfig) => unknown)(config);
    } catch (cause) {
      throw fail(`its function hooks(config) failed: ${textOf(cause)}`, cause);
    }
  }
  if (hooks === undefined) throw fail('exports no `hooks`; write: export const hooks = [{ afterStep(step, metrics, context) { … } }]');
  if (!Array.isArray(hooks)) throw fail(`\`hooks\` must be a list of hooks or a function that returns one, got ${typeof hooks}`);
  for (const [i, hook] of hooks.entries()) {
    const fault = faultOfHook(hook);
    if (fault !== null) throw fail(`hooks[${i}] ${fault}`);
  }
  return hooks as readonly TrainHook[];
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
