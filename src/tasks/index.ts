export { importTasks } from './import-tasks.js';
export { registerSingleTask, registerTask, resolveTask, TaskRegistry, taskNames } from './registry.js';
export { type RunTaskOptions, runTask, type TaskResult } from './run-task.js';
export {
  type Accelerator,
  type Task,
  type TaskClass,
  type TaskContext,
  type TaskEvaluation,
  type TaskMode,
  type TaskParameters,
  taskModes,
} from './task.js';
