export { type SavedSnapshot, SectionMemory, type SnapshotJob, type SnapshotWriter, writeFrozen } from './frozen-snapshot.js';
export { exchangeLayout, type RunSpec, shardSpecOf, type TableSpec } from './run-spec.js';
export { bytesOf, nameOfValue, PARAMETERS, parameterAt, requireFinite, rowShape, type SavedTable, STATE } from './snapshot-parts.js';
export type { FrozenState, TableRows } from './state.js';
export { bucketBitsOf, decodeRows, encodeHeader, encodeRows, mergeRows, type RowShape, tableSectionName } from './table-section.js';
export { evaluateStep, trainStep, type WorkerContext } from './train-step.js';
export { LOSS_HISTORY, WORKER_COMMAND_WORDS, WORKER_STATS, WorkerOp, WorkerStat } from './worker-command.js';
export { runWorkerLoop, type WorkerLines } from './worker-loop.js';
