export { exchangeLayout, type RunSpec, type TableSpec } from './run-spec.js';
export { evaluateStep, trainStep, type WorkerContext } from './train-step.js';
export { LOSS_HISTORY, WORKER_COMMAND_WORDS, WORKER_STATS, WorkerOp, WorkerStat } from './worker-command.js';
export { runWorkerLoop, type WorkerLines } from './worker-loop.js';
