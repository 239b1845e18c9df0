export type { SavedTable, TrainHook, TrainResult } from '../training/index.js';
export { Estimator, type TrainOptions } from './estimator.js';
export type { RunInfo } from './run-info.js';
export { EventHook } from './run-log-hook.js';
export { bindModel, type ModelOnData, openNewest } from './session.js';
export { packageVersion } from './version.js';
