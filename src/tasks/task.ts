import type { PartialTrainingConfig, ResolvedConfig } from '../config/index.js';

export const taskModes = ['train-and-eval', 'train', 'eval'] as const;

/** What is done with a task. */
export type TaskMode = (typeof taskModes)[number];

/** The runner that was asked for. Either runs on the processors of this machine. */
export type Accelerator = 'gpu' | 'tpu';

/** A task's own settings, as plain JSON. */
export type TaskParameters = { readonly [name: string]: unknown };

/** Figures of an evaluation, and the step of the model that has them. */
export type TaskEvaluation = { readonly step: number; readonly metrics: { readonly [name: string]: number } };

/** What the functions of a task are called with. */
export type TaskContext = {
  /** Name under which the task is registered. */
  readonly task: string;
  readonly modelDir: string;
  readonly mode: TaskMode;
  readonly accelerator: Accelerator;
  /** The task's, with what the command line changes in them. */
  readonly parameters: TaskParameters;
  /** Flags of the runner that only the task itself can make use of, such as `iterations-per-loop`. */
  readonly flags: { readonly [flag: string]: string | number | boolean | null };
  /** Options of the run; null for a task without a config. */
  readonly config: ResolvedConfig | null;
  readonly signal: AbortSignal;
  /** A line for people. */
  readonly log: (line: string) => void;
};

/**
 * A training job under a name. With a `config` it is trained and evaluated like any run; a function of its own goes before that.
 *
 * ```ts
 * registerTask('ads.click', { config: { model: 'deepfm', data: { train: ['train.csv'], eval: ['test.csv'], schema } } });
 * ```
 */
export type Task = {
  /**
   * Options of a run, in the shape of a config file or the path of one; modelDir comes from the command line. Relative paths are relative to
   * the current folder, those in a file to the file's.
   */
  readonly config?: PartialTrainingConfig | string;
  readonly parameters?: TaskParameters;
  train?(context: TaskContext): void | Promise<void>;
  evaluate?(context: TaskContext): TaskEvaluation | Promise<TaskEvaluation>;
};

/** A class of tasks; its instance is the task. */
export type TaskClass = { new (): Task; readonly name: string };
