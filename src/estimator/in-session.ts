import { MonolithError, packageVersion, suggest } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { checkHooks, type TrainResult } from '../training/index.js';
import { check, type StepLimits } from './step-limits.js';
import { type SessionOptions, TrainingSession } from './training-session.js';

/** Hooks, a signal to stop and how far to go: `steps` from here, `maxSteps` from the very first start; neither: as the configuration says. */
export type TrainOptions = SessionOptions &
  StepLimits & {
    /** Lines of progress, every `logStepCountSteps` of an estimator's settings, and about the other processes of a job on several hosts. */
    readonly log?: (line: string) => void;
  };

const OPTIONS = ['steps', 'maxSteps', 'hooks', 'signal', 'onReady', 'startEngine', 'log'];

/**
 * Looks at options before anything is started. An unknown one is refused: `train({ step: 5 })` would train to the end of the data.
 * @throws InvalidArgument
 */
export function checkOptions(options: TrainOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new MonolithError('InvalidArgument', `train: expected options such as { steps: 100 }, got ${String(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    const meant = suggest(name, OPTIONS);
    throw new MonolithError(
      'InvalidArgument',
      `train: unknown option ${name}; ${meant === null ? `there are ${OPTIONS.join(', ')}` : `did you mean ${meant}?`}`,
      { option: name },
    );
  }
  check('steps', options.steps);
  check('maxSteps', options.maxSteps);
  if (options.hooks !== undefined) checkHooks(options.hooks);
}

/**
 * Opens a session, hands it on and closes it, however that ends. With `distributed.enabled` this process takes part in a job on several hosts
 * until it is over: the chief's session spans all of them, the other roles have none.
 *
 * @returns what `use` returned; null in the other roles of a job.
 * @throws InvalidConfig without training data; what opening and `use` throw.
 */
export async function inSession<T>(
  config: TrainingConfig,
  options: TrainOptions,
  use: (session: TrainingSession) => Promise<T>,
): Promise<T | null> {
  if (!config.distributed.enabled || options.startEngine !== undefined) return opened(config, options, use);
  // What speaks over the network takes a while to load: a run on one host goes without it.
  const { runRole } = await import('../runner/index.js');
  const { signal, log = () => {} } = options;
  return runRole(config, {
    version: packageVersion(),
    log,
    ...(signal === undefined ? {} : { signal }),
    train: (job, startEngine) => opened(job, { ...options, startEngine }, use),
  });
}

async function opened<T>(config: TrainingConfig, options: SessionOptions, use: (session: TrainingSession) => Promise<T>): Promise<T> {
  requireData(config, 'train');
  const session = await TrainingSession.open(config, options);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** @throws InvalidConfig when no training data are named. */
export function requireData(config: TrainingConfig, command: string): void {
  if (config.data.train.length === 0) throw noData(command, 'data.train (--data)');
}

export function noData(command: string, option: string): MonolithError {
  return new MonolithError('InvalidConfig', `${command}: no data given; set ${option}`, { option });
}

/** What a worker or parameter server that the chief led knows of the training at its end: that it is over, and nothing of its figures. */
export function ledByChief(): TrainResult {
  return {
    step: Number.NaN,
    examples: Number.NaN,
    runExamples: 0,
    seconds: 0,
    examplesPerSecond: 0,
    loss: Number.NaN,
    evaluation: null,
    checkpoint: null,
    reason: 'led by the chief',
    stoppedEarly: false,
    hookStop: null,
    stages: {},
    rows: 0,
    badRecords: 0,
  };
}
