export { applyRuntimeEnvExports, type EstimatorSettings, optionsOfRunnerConfig, restoreTimings, toEstimatorConfig } from './bridges.js';
export { type FromRunConfigOptions, getDiscoveryFromRunConfig, monolithDiscoveryFromRunConfig } from './discovery.js';
export type { RunConfigField, RunConfigValues, RunnerConfig } from './fields.js';
export { RunConfig, runnerConfig, runnerConfigFromJson } from './run-config.js';
