import type { TrainingConfig } from '../config/index.js';
import type { TrainHook } from '../training/index.js';
import { loadHooks } from './load-hooks.js';
import { ProfilerHook } from './profiler-hook.js';
import { StopFileHook } from './stop-file-hook.js';

/** The hooks that options ask for. @throws InvalidConfig for modules that export none */
export async function hooksOf(config: TrainingConfig): Promise<TrainHook[]> {
  const { stopFile, profileSteps, hooks } = config;
  const [first, last] = (profileSteps ?? '').split('..').map(Number);
  const own: TrainHook[] = [];
  for (const file of hooks) own.push(...(await loadHooks(file, config)));
  const profiler = profileSteps === null ? [] : [new ProfilerHook(first, last)];
  return [...profiler, ...(stopFile === null ? [] : [new StopFileHook(stopFile)]), ...own];
}
