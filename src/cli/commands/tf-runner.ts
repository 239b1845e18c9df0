import { MonolithError } from '../../base/index.js';
import type { ResolvedConfig } from '../../config/index.js';
import { type Accelerator, importTasks, runTask, type TaskMode, type TaskResult, taskModes } from '../../tasks/index.js';
import { figureText, printable } from '../../telemetry/index.js';
import { ExitCode } from '../exit-codes.js';
import type { CommandArguments } from '../flags.js';
import type { Output } from '../output.js';
import { StopSignals } from '../signals.js';
import { refuseUnknownFlags } from '../usage.js';
import { train } from './train.js';

const text = (describe: string, more: { readonly default?: string; readonly demandOption?: boolean } = {}) =>
  ({ type: 'string', requiresArg: true, describe, ...more }) as const;
const flag = (describe: string, on = false) => ({ type: 'boolean', default: on, describe }) as const;

const commonFlags = {
  task: text('Name of a registered task, such as examples.adult', { demandOption: true }),
  'model-dir': text('Run folder', { demandOption: true }),
  mode: text('train, eval or train-and-eval', { default: 'train' }),
  'save-checkpoints-steps': text('Steps between checkpoints; without it as the task says'),
  import: { type: 'string', array: true, requiresArg: true, describe: 'JavaScript modules that register tasks' },
  json: flag('Print one JSON object a line on standard output'),
  quiet: flag('No banner and no progress'),
} as const;

/** Flags of the tpu runner. All but the last two are for the task, which finds them in its context. */
const tpuFlags = {
  'tf-version': text('tpu: for the task', { default: 'nightly' }),
  tpu: text('tpu: for the task'),
  'gcp-project': text('tpu: for the task'),
  'tpu-zone': text('tpu: for the task'),
  'iterations-per-loop': text('tpu: for the task', { default: '10000' }),
  'host-call-every-n-steps': text('tpu: for the task', { default: '500' }),
  'pipeline-execution': flag('tpu: for the task'),
  'enable-tpu-version-config': flag('tpu: for the task', true),
  'enable-stopping-signals': flag('tpu: for the task'),
  'partition-strategy': text('tpu: mod or div; for the task', { default: 'mod' }),
  'cpu-test': flag('tpu: a trial on the processor, with mode train only'),
  'overwrite-end-date': text('tpu: in place of parameters.train.end_date of a task that has one', { default: '' }),
} as const;

/** Flags of `tf-runner gpu` and `tf-runner tpu`, for yargs. */
export const tfRunnerFlags = { ...commonFlags, ...tpuFlags };

/**
 * `monolith-local tf-runner gpu|tpu`: trains or evaluates a registered task. There is neither GPU nor TPU in it: both run on the processors
 * of this machine, and say so.
 *
 * @param given the command line without the program, to tell flags that were given from defaults.
 */
export async function tfRunner(args: CommandArguments, given: readonly string[], output: Output): Promise<number> {
  const { accelerator: runner, ...flags } = args;
  if (runner !== 'gpu' && runner !== 'tpu') throw wrong(`tf-runner: expected gpu or tpu, got "${String(runner)}"`);
  const accelerator: Accelerator = runner;
  refuseUnknownFlags(flags, Object.keys(tfRunnerFlags));
  if (accelerator === 'gpu') {
    const foreign = Object.keys(tpuFlags).find((name) => given.some((word) => new RegExp(`^--(no-)?${name}(=|$)`).test(word)));
    if (foreign !== undefined) throw wrong(`--${foreign}: a flag of tf-runner tpu, which tf-runner gpu does not have`);
  }
  const json = args.json === true;
  const quiet = args.quiet === true;
  const say = (line: string): void => output.talk(`${printable(line)}\n`);
  await importTasks(textsOf(args.import));
  if (!quiet)
    say(`tf-runner ${accelerator}: there is no ${accelerator.toUpperCase()} here, the task runs on the processors of this machine`);
  const signals = new StopSignals(say);
  let trainedCode: number = ExitCode.done;
  try {
    const result = await runTask({
      task: String(args.task),
      modelDir: String(args['model-dir']),
      mode: modeOf(args.mode),
      accelerator,
      saveCheckpointsSteps: args['save-checkpoints-steps'] === undefined ? null : whole(args, 'save-checkpoints-steps'),
      cpuTest: args['cpu-test'] === true,
      overwriteEndDate: String(args['overwrite-end-date'] ?? ''),
      flags: accelerator === 'tpu' ? forTheTask(args) : {},
      env: process.env,
      signal: signals.signal,
      log: say,
      train: async (resolved) => {
        // The train command has signals of its own.
        signals.close();
        trainedCode = await train(withOutput(resolved, json, quiet), output);
        return trainedCode === ExitCode.done;
      },
    });
    report(result, json, quiet, output);
    return signals.exitCode ?? trainedCode;
  } finally {
    signals.close();
  }
}

function withOutput(resolved: ResolvedConfig, json: boolean, quiet: boolean): ResolvedConfig {
  return { ...resolved, config: { ...resolved.config, json: json || resolved.config.json, quiet: quiet || resolved.config.quiet } };
}

function report({ evaluation, eventFile }: TaskResult, json: boolean, quiet: boolean, output: Output): void {
  if (evaluation === null) return;
  const { step, metrics } = evaluation;
  if (json) output.result(`${JSON.stringify({ event: 'eval', step, ...metrics })}\n`);
  else
    output.result(
      `step ${step}: ${Object.entries(metrics)
        .map(([name, value]) => `${name} ${figureText(value)}`)
        .join('  ')}\n`,
    );
  if (!quiet) output.talk(`${printable(eventFile ?? '')}\n`);
}

function modeOf(value: unknown): TaskMode {
  const mode = taskModes.find((one) => one === value);
  if (mode === undefined) throw wrong(`--mode: expected one of ${taskModes.join(', ')}, got "${String(value)}"`);
  return mode;
}

function forTheTask(args: CommandArguments): Record<string, string | number | boolean | null> {
  const strategy = args['partition-strategy'];
  if (strategy !== 'mod' && strategy !== 'div') throw wrong(`--partition-strategy: expected mod or div, got "${String(strategy)}"`);
  const plain = ['tf-version', 'tpu', 'gcp-project', 'tpu-zone', 'partition-strategy'].map((name) => [name, args[name] ?? null]);
  const numbers = ['iterations-per-loop', 'host-call-every-n-steps'].map((name) => [name, whole(args, name)]);
  const switches = ['pipeline-execution', 'enable-tpu-version-config', 'enable-stopping-signals', 'cpu-test'].map((name) => [
    name,
    args[name] === true,
  ]);
  return Object.fromEntries([...plain, ...numbers, ...switches]) as Record<string, string | number | boolean | null>;
}

function whole(args: CommandArguments, name: string): number {
  const value = args[name];
  if (typeof value !== 'string' || !/^[1-9]\d{0,8}$/.test(value)) throw wrong(`--${name}: expected an integer ≥ 1, got "${String(value)}"`);
  return Number(value);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
}

function wrong(message: string): MonolithError {
  return new MonolithError('InvalidConfig', message);
}
