export { checkHooks, faultOfHook } from './check-hook.js';
export { CheckpointSaver, type CheckpointSaverParts, type PendingSave, type SaveRequest } from './checkpoint-saver.js';
export type { EarlyStopSettings, EarlyStopState } from './early-stopping.js';
export type { FrozenState, TableRows, TrainingEngine } from './engine.js';
export { type EvaluationMetrics, evaluate, scoreAll } from './evaluate.js';
export { type SavedSnapshot, SectionMemory, type SnapshotJob, type SnapshotWriter, writeFrozen } from './frozen-snapshot.js';
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
export type { WindowEvent, WindowSettings, WindowsState } from './progressive.js';
export { bindModel, type DataUse, hasEvaluationData, type ModelOnData, openPipeline, openTrainData, specOfRun } from './run-data.js';
export { exchangeLayout, type RunSpec, shardSpecOf, type TableSpec } from './run-spec.js';
export { resolveShardWork } from './shard-work.js';
export { loadSnapshot, readTableSection, roundedFrom, savedTables, saveSnapshot } from './snapshot.js';
export type { SavedTable } from './snapshot-parts.js';
export { STAGES, type StageShares, type StageTimes, WORKER_STAGES } from './stage-times.js';
export { bucketBitsOf, decodeRows, encodeHeader, encodeRows, type RowShape, tableSectionName } from './table-section.js';
export { type Span, Timeline } from './timeline.js';
export { TrainLoop } from './train-loop.js';
export type { TrainerState, TrainLoopParts, TrainLoopSettings } from './train-loop-parts.js';
export { evaluateStep, trainStep, type WorkerContext } from './train-step.js';
export { type WarmStartReport, warmStart, warmStartLines } from './warm-start.js';
export { schemaInForce, slotSchema } from './warm-start-names.js';
export { LOSS_HISTORY, WORKER_COMMAND_WORDS, WORKER_STATS, WorkerOp, WorkerStat } from './worker-command.js';
export { runWorkerLoop, type WorkerLines } from './worker-loop.js';
