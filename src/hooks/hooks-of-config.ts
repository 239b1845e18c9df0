import type { TrainingConfig } from '../config/index.js';
import type { TrainHook } from '../training/index.js';
import { loadHooks } from './load-hooks.js';
import { StopFileHook } from './stop-file-hook.js';

/** The hooks that options ask for. @throws InvalidConfig for modules that export none */
export async function hooksOf(config: TrainingConfig): Promise<TrainHook[]> {
  const { stopFile, hooks } = config;
  const own: TrainHook[] = [];
  for (const file of hooks) own.push(...(await loadHooks(file, config)));
  return [...(stopFile === null ? [] : [new StopFileHook(stopFile)]), ...own];
}
