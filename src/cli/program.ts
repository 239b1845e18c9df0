import yargs, { type Argv } from 'yargs';
import { MonolithError, packageVersion, type Variables } from '../base/index.js';
import { argumentsForYargs, explain, yargsOptions, yargsParserConfiguration } from '../config/index.js';
import { printable } from '../telemetry/index.js';
import { dataCommands } from './commands/data-flags.js';
import { inspectFlags, inspectOptionsOf } from './commands/inspect-flags.js';
import { rowsExportFlags, rowsImportFlags } from './commands/rows-flags.js';
import { ExitCode, exitCodeOf } from './exit-codes.js';
import { type CommandArguments, configOf, configOfTrained, configOfWorker } from './flags.js';
import type { Output } from './output.js';
import { refuseUnknownFlags, usageError } from './usage.js';

// What only one command needs is loaded when that command runs: the trainer alone is 300 files.

const CONFIG_HELP = 'YAML or JSON file with options; flags and MONOLITH_LOCAL_… variables go before it';

/** What `eval` and `predict` may want to be told; the rest they know from the run folder. */
const TRAINED_FLAGS: ReadonlySet<string> = new Set(
  'model-dir data eval-data format schema max-bad-records batch-size workers ps backend json quiet'.split(' '),
);

/** Options of a run that `rows import` shows in its help. */
const IMPORT_FLAGS: ReadonlySet<string> = new Set(['model-dir', 'data', 'format', 'model', 'json']);

/** Runs one command line and says what the process should end with. */
async function run(argv: readonly string[], output: Output, env: Variables): Promise<number> {
  let exitCode: number = ExitCode.done;
  const runs =
    (command: (args: CommandArguments) => Promise<number>) =>
    async (args: CommandArguments): Promise<void> => {
      exitCode = await command(args);
    };
  // yargs lays out the help of a command that it runs, a quarter of a second for all options, whether or not anybody asked.
  const asksForHelp = argv.some((word) => /^(--)?help\b/.test(word));
  const withOptions = (parser: Argv, inHelp?: (flag: string) => boolean): Argv =>
    parser
      .positional('config', { type: 'string', describe: CONFIG_HELP })
      .options(yargsOptions(asksForHelp ? inHelp : () => false))
      .showHidden('all', 'With --help: every option')
      .epilogue('Every option: --help --all, and docs/configuration.md. Each is also a key of the config file.');
  const withOptionsOfTrained = (parser: Argv): Argv => withOptions(parser, (flag) => TRAINED_FLAGS.has(flag));
  const parser = yargs(argumentsForYargs(argv))
    .scriptName('monolith-local')
    .locale('en')
    .parserConfiguration(yargsParserConfiguration)
    .usage('Trains sparse recommendation models on this machine.\n\n$0 <command> [config.yaml] [flags]')
    .command(
      'train [config]',
      'train and evaluate',
      (parser) => withOptions(parser),
      runs(async (args) => (await import('./commands/train.js')).train(configOf(args, env), output)),
    )
    .command(
      'worker [config]',
      'a worker of a run on several hosts: train --distributed --role worker',
      (parser) => withOptions(parser),
      runs(async (args) => (await import('./commands/train.js')).train(configOfWorker(args, env), output)),
    )
    .command(
      'ps [config]',
      'a parameter server of a run on several hosts: train --distributed --role ps',
      (parser) => withOptions(parser),
      runs(async (args) => (await import('./commands/train.js')).train(configOf({ ...args, distributed: true, role: 'ps' }, env), output)),
    )
    .command(
      'eval [config]',
      'evaluate the newest checkpoint',
      withOptionsOfTrained,
      runs(async (args) => (await import('./commands/trained.js')).evaluateCommand(configOfTrained(args, env), output)),
    )
    .command(
      'predict [config]',
      'one prediction a record, in order',
      (parser) =>
        withOptionsOfTrained(parser).option('output', { type: 'string', describe: 'File for the predictions; standard output without it' }),
      runs(async (args) => {
        const { predictCommand } = await import('./commands/trained.js');
        return predictCommand(configOfTrained(args, env), typeof args.output === 'string' ? args.output : null, output);
      }),
    )
    .command(
      'inspect <path>',
      'what a checkpoint holds: tables, rows, parameters, sections; one row; what changed since another checkpoint',
      (parser) =>
        parser
          .positional('path', { type: 'string', describe: 'A run folder or a checkpoint-<step>.json', demandOption: true })
          .options(inspectFlags),
      runs(async (args) => {
        refuseUnknownFlags(args, Object.keys(inspectFlags));
        const { inspect } = await import('./commands/inspect.js');
        return inspect(inspectOptionsOf(args, output.result));
      }),
    )
    .command('rows', 'rows of a checkpoint: export them, import pretrained ones', (parser) =>
      parser
        .command(
          'export <path>',
          'rows of a checkpoint as csv, jsonl or npy',
          (sub) =>
            sub
              .positional('path', { type: 'string', describe: 'A run folder or a checkpoint-<step>.json', demandOption: true })
              .options(rowsExportFlags),
          runs(async (args) => {
            refuseUnknownFlags(args, Object.keys(rowsExportFlags));
            const { exportRowsCommand } = await import('./commands/rows.js');
            return exportRowsCommand(args, output);
          }),
        )
        .command(
          'import [config]',
          'put rows into the newest checkpoint of --model-dir; with a config file, begin a run with them',
          (sub) => withOptions(sub, (flag) => IMPORT_FLAGS.has(flag)).options(rowsImportFlags),
          runs(async (args) => (await import('./commands/rows.js')).importRowsCommand(args, output, env)),
        )
        .demandCommand(1, 'Name what to do with rows: export or import.')
        .strictCommands(),
    )
    .command('data', 'look at training data, convert, split, make and check them', (parser) =>
      dataCommands(parser, (command) => runs(async (args) => (await import('./commands/data.js')).data(command, args, output))),
    )
    .command(
      'describe [config]',
      'layers, shapes and parameter counts of the model on the data',
      (parser) => withOptions(parser),
      runs(async (args) => {
        const { Estimator } = await import('../estimator/index.js');
        const resolved = configOf(args, env);
        const text = await new Estimator(resolved).describe();
        output.result(resolved.config.json ? `${JSON.stringify({ event: 'describe', text })}\n` : `${text}\n`);
        return ExitCode.done;
      }),
    )
    .command(
      'config [config]',
      'the options in force; --explain says where each comes from',
      (parser) => withOptions(parser).option('explain', { type: 'boolean', default: false, describe: 'Value and origin of every option' }),
      runs(async (args) => {
        const resolved = configOf(args, env);
        const { config } = resolved;
        if (config.json) output.result(`${JSON.stringify({ event: 'config', config, origins: Object.fromEntries(resolved.origins) })}\n`);
        else output.result(`${args.explain === true ? explain(resolved) : JSON.stringify(config, null, 2)}\n`);
        return ExitCode.done;
      }),
    )
    .command(
      'doctor',
      'what this machine offers and what is missing',
      (parser) =>
        parser
          .option('json', { type: 'boolean', default: false, describe: 'One JSON object' })
          .option('build', { type: 'boolean', default: false, describe: 'Build the native addon first; needs a C++ compiler' }),
      runs(async (args) => {
        refuseUnknownFlags(args, ['json', 'build']);
        const { buildAddon, examine, findingsText } = await import('./commands/doctor.js');
        if (args.build === true && !buildAddon(output)) return ExitCode.failed;
        const findings = await examine(process.cwd());
        output.result(args.json === true ? `${JSON.stringify({ event: 'doctor', findings })}\n` : findingsText(findings));
        return findings.every(({ ok }) => ok) ? ExitCode.done : ExitCode.failed;
      }),
    )
    .command(
      'demo',
      'make click data with a known truth, train on them, compare with the best possible',
      (parser) => parser.option('rows', { type: 'string', default: '200000', describe: 'Examples to make' }),
      runs(async (args) => {
        refuseUnknownFlags(args, ['rows']);
        const { demo } = await import('./commands/demo.js');
        return demo(String(args.rows), output);
      }),
    )
    .command(
      'tf-runner <accelerator>',
      'train or evaluate a registered task: tf-runner gpu|tpu --task NAME --model-dir DIR',
      async (parser) =>
        parser
          .positional('accelerator', { type: 'string', describe: 'gpu or tpu; both run on this machine as it is' })
          .options((await import('./commands/tf-runner.js')).tfRunnerFlags),
      runs(async (args) => (await import('./commands/tf-runner.js')).tfRunner(args, argv, output)),
    )
    .command(
      'bench [words..]',
      'measure this package, against the limits of the machine and against other trainers',
      async (parser) =>
        parser
          .positional('words', {
            type: 'string',
            array: true,
            describe: 'Suites, `all`, or: compare OLD.json NEW.json; none lists the suites',
          })
          .options((await import('../bench/index.js')).benchFlags),
      runs(async (args) => (await import('./commands/bench.js')).bench(args, output)),
    )
    .example('$0 train examples/adult.yaml', 'train on the data that come with the package')
    .example('$0 train --data train.tsv --eval-data test.tsv --format criteo --model dlrm', 'Criteo files, no config')
    .example('$0 predict --model-dir model --data new.tsv', 'predictions of a trained model')
    .demandCommand(1, 'Name a command; --help lists them.')
    .strictCommands()
    // Asking the addon what it is takes loading it.
    .version(argv.some((word) => /^--version\b/.test(word)) ? await versionText() : '')
    .help()
    .wrap(Math.min(120, process.stdout.columns ?? 120))
    .exitProcess(false)
    .fail((message, error) => {
      // A YError is a complaint of yargs itself; anything else was thrown by a command.
      if (error !== undefined && error !== null && error.name !== 'YError') throw error;
      throw usageError(argv, message ?? error?.message ?? '');
    });
  await parser.parseAsync();
  return exitCode;
}

async function versionText(): Promise<string> {
  const { describeAddon } = await import('../kernels/index.js');
  const { info, reason } = describeAddon();
  return `monolith-local ${packageVersion()} (${info === null ? `reference kernels: ${reason}` : `native, ${info.instructionSet}`})`;
}

/**
 * Carries out a command line, as the program `monolith-local` does. Never rejects: an error is told to `output`.
 *
 * @param line what stands behind the program's name.
 * @param env  variables that give options of a run.
 * @returns what the process should end with.
 */
export async function runProgram(line: readonly string[], output: Output, env: Variables): Promise<number> {
  try {
    return await run(
      line.map((argument) => (argument === '-h' ? '--help' : argument)),
      output,
      env,
    );
  } catch (error) {
    const failure = MonolithError.from(error);
    // Messages quote names and bytes of files; those must not move a terminal's cursor.
    const message = failure.message.split('\n').map(printable).join('\n');
    output.talk(failure.code === 'Internal' ? `${message}\n` : `${failure.code}  ${message}\n`);
    return exitCodeOf(failure.code);
  }
}
