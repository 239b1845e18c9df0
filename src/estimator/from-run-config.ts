import type { PartialTrainingConfig } from '../config/index.js';
import { applyRuntimeEnvExports, optionsOfRunnerConfig, type RunnerConfig } from '../run-config/index.js';

/** Options of a run that a RunConfig has not (model, data, …), or that are to win over it; in the shape of a config file. */
export type MoreOptions = PartialTrainingConfig;

/**
 * The options of an estimator of a runner's configuration, whose environment variables are set. A restoreCkpt without restoreDir is the
 * checkpoint to start warm from. A run that is not local takes part in a job through its discovery: worker 0 is the chief, and a parameter server
 * says so by `distributed.role` in `more`.
 *
 * @param restored whether the run folder has been restored already.
 */
export function optionsOfEstimator(runner: RunnerConfig, more: MoreOptions, restored: boolean): PartialTrainingConfig {
  applyRuntimeEnvExports(runner);
  const { isLocal, index, restoreDir, restoreCkpt } = runner;
  const options: PartialTrainingConfig = {
    ...optionsOfRunnerConfig(runner),
    ...(restored || restoreDir === null ? { restoreDir: null, restoreCkpt: null } : {}),
    ...(restoreDir === null && restoreCkpt !== null ? { warmStart: { from: restoreCkpt } } : {}),
    ...(isLocal ? {} : { distributed: { enabled: true, role: index === 0 ? 'chief' : 'worker', index } as const }),
  };
  return merged(options, more) as PartialTrainingConfig;
}

type Tree = { readonly [key: string]: unknown };

/** `over` over `under`, section by section. */
function merged(under: Tree, over: Tree): Tree {
  const result: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = result[key];
    result[key] = isTree(below) && isTree(value) ? merged(below, value) : value;
  }
  return result;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
