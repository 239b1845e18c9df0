export {
  bucketBitsOf,
  decodeRows,
  encodeHeader,
  encodeRows,
  evaluateStep,
  exchangeLayout,
  type FrozenState,
  LOSS_HISTORY,
  type RowShape,
  type RunSpec,
  runWorkerLoop,
  type SavedSnapshot,
  type SavedTable,
  SectionMemory,
  type SnapshotJob,
  type SnapshotWriter,
  shardSpecOf,
  type TableRows,
  type TableSpec,
  tableSectionName,
  trainStep,
  WORKER_COMMAND_WORDS,
  WORKER_STATS,
  type WorkerContext,
  type WorkerLines,
  WorkerOp,
  WorkerStat,
  writeFrozen,
} from '../steps/index.js';
export { checkHooks, faultOfHook } from './check-hook.js';
export { CheckpointSaver, type CheckpointSaverParts, type PendingSave, type SaveRequest } from './checkpoint-saver.js';
export type { EarlyStopSettings, EarlyStopState } from './early-stopping.js';
export type { TrainingEngine } from './engine.js';
export { type EvaluationMetrics, evaluate, scoreAll } from './evaluate.js';
export { type HookActions, HookRunner, type HookStates } from './hook-runner.js';
export { decisionOf, type HookTrigger, type StepDecision, StepTrigger, TimeTrigger } from './hook-trigger.js';
export type {
  CheckpointEvent,
  EvaluationEvent,
  HookContext,
  HookState,
  HookStop,
  Progress,
  Retention,
  StepMetrics,
  StopReason,
  TrainHook,
  TrainResult,
} from './hooks.js';
export {
  modelOptionsOf,
  planOfRun,
  planRun,
  shareOfRows,
  tableSpecs,
} from './plan-run.js';
export { bindModel, type DataUse, hasEvaluationData, type ModelOnData, openPipeline, specOfRun } from './run-data.js';
export { resolveShardWork } from './shard-work.js';
export { loadSnapshot, readTableSection, roundedFrom, savedTables, saveSnapshot } from './snapshot.js';
export { STAGES, type StageShares, type StageTimes, WORKER_STAGES } from './stage-times.js';
export { type Span, Timeline } from './timeline.js';
export { TrainLoop } from './train-loop.js';
export type { TrainerState, TrainLoopParts, TrainLoopSettings } from './train-loop-parts.js';
export { type WarmStartReport, warmStart, warmStartLines } from './warm-start.js';
export { schemaInForce, slotSchema } from './warm-start-names.js';
