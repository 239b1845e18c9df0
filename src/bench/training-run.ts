import { rm } from 'node:fs/promises';
import { cliProgram, plainEnvironment, runChild } from './child.js';
import type { TrainingPlan } from './training-plan.js';

/** What one whole run gave. Null figures: the run failed, `problem` says why. */
export type RunOutcome = {
  readonly samplesPerSecond: number | null;
  readonly auc: number | null;
  readonly logloss: number | null;
  /** Wall time of the process, start-up and evaluation included. */
  readonly seconds: number;
  readonly info: Readonly<Record<string, number | string | null>>;
  readonly problem: string | null;
};

/** Where the samples of a run lie. */
export type TrainingData = { readonly train: string; readonly eval: string; readonly samples: number };

/** Arguments of the command line for a plan. Samples come in the order of the file, as in the peers' scripts. */
export function trainingArguments(plan: TrainingPlan & { readonly ps?: number }, data: TrainingData, modelDir: string): string[] {
  const steps = Math.max(1, Math.floor(data.samples / (plan.workers * plan.batchSize)));
  return [
    ...['train', '--data', data.train, '--eval-data', data.eval, ...plan.flags],
    ...['--workers', String(plan.workers), '--batch-size', String(plan.batchSize), '--max-steps', String(steps)],
    ...(plan.ps === undefined ? [] : ['--ps', String(plan.ps)]),
    ...['--epochs', '1', '--shuffle', '0', '--checkpoint-every', '0', '--model-dir', modelDir, '--fresh', '--json'],
  ];
}

/** Trains once as a process of its own and reads its `done` event; the run folder is removed again. */
export async function runTraining(
  plan: TrainingPlan & { readonly ps?: number },
  data: TrainingData,
  modelDir: string,
): Promise<RunOutcome> {
  try {
    const result = await runChild(process.execPath, [cliProgram, ...trainingArguments(plan, data, modelDir)], { env: plainEnvironment() });
    const done = doneEvent(result.stdout);
    if (result.code !== 0 || done === null) {
      const reason = result.stderr.trim().split('\n').at(-1) ?? '';
      return {
        samplesPerSecond: null,
        auc: null,
        logloss: null,
        seconds: result.seconds,
        info: {},
        problem: reason || `exit code ${result.code}`,
      };
    }
    return { ...figuresOf(done), seconds: result.seconds, problem: null };
  } finally {
    await rm(modelDir, { recursive: true, force: true });
  }
}

type DoneEvent = {
  readonly event: 'done';
  readonly examples_per_second: number;
  readonly eval: { readonly auc?: number; readonly logloss?: number } | null;
  readonly stages?: Readonly<Record<string, number>>;
};

function doneEvent(stdout: string): DoneEvent | null {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  try {
    const event = JSON.parse(line) as Partial<DoneEvent>;
    return event.event === 'done' && typeof event.examples_per_second === 'number' ? (event as DoneEvent) : null;
  } catch {
    return null;
  }
}

/** Figures of a `done` event; the workers' stage times become shares of their time in percent. Those of shards overlap them. */
export function figuresOf(done: DoneEvent): Pick<RunOutcome, 'samplesPerSecond' | 'auc' | 'logloss' | 'info'> {
  const stages = Object.entries(done.stages ?? {}).filter(([name]) => !name.startsWith('shard_'));
  const whole = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
  const shares = whole > 0 ? stages.map(([name, seconds]) => [`${name} %`, Math.round((1000 * seconds) / whole) / 10] as const) : [];
  return {
    samplesPerSecond: done.examples_per_second,
    auc: done.eval?.auc ?? null,
    logloss: done.eval?.logloss ?? null,
    info: Object.fromEntries(shares),
  };
}
