export { Estimator, type RunInfo, type TrainOptions } from './estimator.js';
export { EventHook } from './run-log-hook.js';
export type { SavedTable, TrainHook, TrainResult } from '../training/index.js';
export { bindModel, type ModelOnData, openNewest } from './session.js';
export { packageVersion } from './version.js';
