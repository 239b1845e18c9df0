import { join } from 'node:path';
import { MonolithError, makeFolderDurable, systemClock } from '../base/index.js';
import { type ResolvedConfig, resolveConfig } from '../config/index.js';
import { Estimator } from '../estimator/index.js';
import { evalFigures, writeEventFile } from '../telemetry/index.js';
import { resolveTask } from './registry.js';
import {
  type Accelerator,
  type Task,
  type TaskContext,
  type TaskEvaluation,
  type TaskMode,
  type TaskParameters,
  taskModes,
} from './task.js';

export type RunTaskOptions = {
  /** Name of a registered task. */
  readonly task: string;
  /** Run folder; made when it is not there. */
  readonly modelDir: string;
  /** Default: train. */
  readonly mode?: TaskMode;
  /** Default: gpu. */
  readonly accelerator?: Accelerator;
  /** Steps between checkpoints, for tasks with a config; null: as the config says. */
  readonly saveCheckpointsSteps?: number | null;
  /** tpu: only with mode train. */
  readonly cpuTest?: boolean;
  /** tpu: set as parameters.train.end_date of a task that has one; '': left as it is. */
  readonly overwriteEndDate?: string;
  /** For the task. */
  readonly flags?: TaskContext['flags'];
  /** Environment variables with options of a run (MONOLITH_LOCAL_…). */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly log?: (line: string) => void;
  /** Trains a task with a config and says whether that came to its end; default: {@link Estimator.train}. */
  readonly train?: (config: ResolvedConfig) => Promise<boolean>;
};

export type TaskResult = {
  /** null where nothing was evaluated. */
  readonly evaluation: TaskEvaluation | null;
  /** The TensorBoard file with the figures; null where nothing was evaluated. */
  readonly eventFile: string | null;
};

/** Folder of the run folder that gets the event files of evaluations. */
const EVAL_FOLDER = 'eval';

/**
 * Trains or evaluates a registered task. An evaluation writes one event file with one record to `<modelDir>/eval`: the figures as scalars at
 * the step of the model.
 *
 * @throws what resolveTask throws, its message after `Failed to resolve --task X: `; InvalidConfig for a mode that the accelerator or the task
 * does not have; what training and evaluating throw.
 */
export async function runTask(options: RunTaskOptions): Promise<TaskResult> {
  const { mode = 'train', accelerator = 'gpu', modelDir } = options;
  const task = resolved(options.task);
  checkMode(mode, accelerator, options.cpuTest === true);
  checkTask(options.task, task, mode);
  await makeFolderDurable(modelDir);
  const context: TaskContext = {
    task: options.task,
    modelDir,
    mode,
    accelerator,
    parameters: parametersOf(task, accelerator, options.overwriteEndDate ?? ''),
    flags: options.flags ?? {},
    config: configOf(task, options),
    signal: options.signal ?? new AbortController().signal,
    log: options.log ?? (() => {}),
  };
  if (mode !== 'eval' && !(await trainTask(task, context, options))) return { evaluation: null, eventFile: null };
  if (mode === 'train') return { evaluation: null, eventFile: null };
  const evaluation = await evaluateTask(task, context);
  const scalars = Object.entries(evaluation.metrics).map(([tag, value]) => ({ tag, value }));
  const wallTime = systemClock.wallClock() / 1000;
  const eventFile = await writeEventFile(join(modelDir, EVAL_FOLDER), [{ wallTime, step: evaluation.step, scalars }]);
  return { evaluation, eventFile };
}

function resolved(name: string): Task {
  try {
    return resolveTask(name);
  } catch (error) {
    const { code, message, details } = MonolithError.from(error);
    throw new MonolithError(code, `Failed to resolve --task ${name}: ${message}`, details, { cause: error });
  }
}

function checkMode(mode: TaskMode, accelerator: Accelerator, cpuTest: boolean): void {
  if (!taskModes.includes(mode)) throw new MonolithError('InvalidConfig', `--mode: expected one of ${taskModes.join(', ')}, got "${mode}"`);
  if (accelerator !== 'tpu') return;
  if (cpuTest && mode !== 'train') throw new MonolithError('InvalidConfig', `Cpu test can only work with train mode. Got --mode ${mode}`);
  if (mode === 'train-and-eval') {
    throw new MonolithError(
      'InvalidConfig',
      'train_and_eval has not been supported. Use --mode train, then --mode eval, or the gpu runner',
    );
  }
}

function checkTask(name: string, task: Task, mode: TaskMode): void {
  const able = {
    train: task.config !== undefined || task.train !== undefined,
    evaluate: task.config !== undefined || task.evaluate !== undefined,
  };
  const missing = mode !== 'eval' && !able.train ? 'train' : mode !== 'train' && !able.evaluate ? 'evaluate' : null;
  if (missing === null) return;
  throw new MonolithError('InvalidConfig', `task ${name} has neither a config nor a function \`${missing}\`, which --mode ${mode} needs`, {
    task: name,
  });
}

/** The task's parameters for this run: a TPU's runner says so, and may end the training data at another day. */
function parametersOf(task: Task, accelerator: Accelerator, endDate: string): TaskParameters {
  const own = structuredClone(task.parameters ?? {});
  if (accelerator !== 'tpu') return own;
  const { train } = own;
  const hasEndDate = typeof train === 'object' && train !== null && 'end_date' in train;
  return { ...own, accelerator, ...(hasEndDate && endDate !== '' ? { train: { ...train, end_date: endDate } } : {}) };
}

/** Defaults < the task's config < environment < the command line. */
function configOf({ config }: Task, { modelDir, saveCheckpointsSteps, env }: RunTaskOptions): ResolvedConfig | null {
  if (config === undefined) return null;
  const every = saveCheckpointsSteps ?? null;
  return resolveConfig({
    ...(typeof config === 'string' ? { file: config } : { values: config }),
    env,
    flags: { 'model-dir': modelDir, ...(every === null ? {} : { 'checkpoint-every': String(every) }) },
  });
}

/** @returns whether training came to its end. */
async function trainTask(task: Task, context: TaskContext, options: RunTaskOptions): Promise<boolean> {
  const { config, signal } = context;
  if (task.train !== undefined) {
    await task.train(context);
    return !signal.aborted;
  }
  // checkTask has seen that one of the two is there.
  const run = config as ResolvedConfig;
  if (options.train !== undefined) return options.train(run);
  const { reason } = await new Estimator(run).train({ signal });
  return reason !== 'stopped';
}

async function evaluateTask(task: Task, context: TaskContext): Promise<TaskEvaluation> {
  if (task.evaluate !== undefined) return checked(context.task, await task.evaluate(context));
  const { step, metrics } = await new Estimator(context.config as ResolvedConfig).evaluate();
  // A figure that is not defined on these data has no point in a plot.
  const figures = Object.entries(evalFigures(metrics)).flatMap(([name, value]): [string, number][] =>
    value === null ? [] : [[name, value]],
  );
  return { step, metrics: Object.fromEntries(figures) };
}

function checked(name: string, evaluation: TaskEvaluation): TaskEvaluation {
  const { step, metrics } = evaluation ?? {};
  const fine =
    Number.isSafeInteger(step) &&
    step >= 0 &&
    typeof metrics === 'object' &&
    metrics !== null &&
    Object.values(metrics).every((value) => typeof value === 'number');
  if (fine) return evaluation;
  throw new MonolithError(
    'InvalidModel',
    `task ${name}: evaluate must return { step, metrics: { name: number } }, got ${JSON.stringify(evaluation)}`,
  );
}
