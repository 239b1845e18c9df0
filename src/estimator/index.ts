export { bindModel, type ModelOnData, type SavedTable, type TrainHook, type TrainResult } from '../training/index.js';
export { Estimator, type TrainOptions } from './estimator.js';
export { type JoinOptions, joinJob } from './join-job.js';
export type { RunInfo } from './run-info.js';
export { EventHook } from './run-log-hook.js';
export { openNewest } from './session.js';
export type { RunEngine } from './training-session.js';
export { packageVersion } from './version.js';
