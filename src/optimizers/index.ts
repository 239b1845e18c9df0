export { clipScale, clipValues } from './clip.js';
export {
  movingAverageOptimizer,
  type OptimizerName,
  type OptimizerSpec,
  optimizerNames,
  type ResolvedOptimizer,
  resolveOptimizer,
} from './optimizer-spec.js';
export { checkSchedule, learningRateAt, type ScheduleSpec } from './schedule.js';
export { type StateArray, stateArrays } from './state-arrays.js';
