import { stat } from 'node:fs/promises';
import { MonolithError, monotonicMs, writeFileDurable } from '../../base/index.js';
import { resolveConfig, type TrainingConfig } from '../../config/index.js';
import {
  convertRecords,
  generateRecords,
  type InspectResult,
  inspectPage,
  inspectRecords,
  inspectText,
  splitRecords,
  statsText,
  suggestConfig,
  validateRecords,
} from '../../records/index.js';
import { counted, grouped, printable } from '../../telemetry/index.js';
import { ExitCode } from '../exit-codes.js';
import type { CommandArguments } from '../flags.js';
import type { Output } from '../output.js';
import { StopSignals } from '../signals.js';
import { refuseUnknownFlags } from '../usage.js';
import { choiceOf, type DataCommand, dataFlags, formatOptions, numberOf, textOf, textsOf, wordsOf } from './data-flags.js';

/** Time between lines of progress. */
const PROGRESS_MS = 5000;

/** What the commands share: progress on standard error, and stopping at Ctrl-C with nothing half done left. */
class Going {
  readonly progress = (rows: number): void => {
    if (this.signals.signal.aborted) throw new MonolithError('Cancelled', 'stopped; nothing was written');
    const now = monotonicMs();
    if (this.quiet || now < this.nextMs) return;
    this.nextMs = now + PROGRESS_MS;
    this.output.talk(`${grouped(rows)} records, ${grouped((1000 * rows) / (now - this.startMs))} a second\n`);
  };
  private readonly startMs = monotonicMs();
  private nextMs = this.startMs + PROGRESS_MS;

  constructor(
    private readonly quiet: boolean,
    private readonly output: Output,
    readonly signals: StopSignals,
  ) {}
}

/** Runs one command of `data`; the exit code. */
export async function data(command: DataCommand, args: CommandArguments, output: Output): Promise<number> {
  const { files: _, ...flags } = args;
  refuseUnknownFlags(flags, Object.keys(dataFlags[command]));
  const signals = new StopSignals((line) => output.talk(`${line}\n`), 'stopping, nothing will be written');
  try {
    const going = new Going(args.quiet === true || args.json === true, output, signals);
    return await commands[command](args, output, going);
  } catch (error) {
    if (signals.exitCode !== null && error instanceof MonolithError && error.code === 'Cancelled') return signals.exitCode;
    throw error;
  } finally {
    signals.close();
  }
}

type Command = (args: CommandArguments, output: Output, going: Going) => Promise<number>;

const commands: Readonly<Record<DataCommand, Command>> = {
  inspect: async (args, output, going) => {
    const result = await inspected(args, going);
    const listSeparator = formatOptions('read-option', args['read-option']).listSeparator;
    if (args.schema !== undefined) {
      const text = suggestConfig(
        result.input,
        result.columns,
        textOf(args.label) ?? null,
        listSeparator === undefined ? null : String(listSeparator),
      );
      await writeNew(String(args.schema), text, args.force === true);
    }
    output.result(args.json === true ? jsonOf('data-inspect', result) : inspectText(result));
    return ExitCode.done;
  },

  stats: async (args, output, going) => {
    const result = await inspected(args, going);
    output.result(args.json === true ? jsonOf('data-stats', result) : statsText(result));
    return ExitCode.done;
  },

  convert: async (args, output, going) => {
    const result = await convertRecords({
      ...readingOf(args),
      out: String(args.out),
      write: writingOf(args),
      columns: wordsOf(args.columns),
      drop: wordsOf(args.drop),
      rename: wordsOf(args.rename),
      kinds: textOf(args.kinds),
      rows: textOf(args.rows),
      shards: numberOf('shards', args.shards),
      progress: going.progress,
    });
    const lines = [
      ...result.findings.map((line) => `  ${line}`),
      ...result.files.map(({ path, rows }) => `${path}: ${grouped(rows)} records`),
    ];
    output.result(
      args.json === true ? `${JSON.stringify({ event: 'data-convert', ...result })}\n` : `${lines.map(printable).join('\n')}\n`,
    );
    return ExitCode.done;
  },

  split: async (args, output, going) => {
    const result = await splitRecords({
      ...readingOf(args),
      out: String(args.out),
      write: writingOf(args),
      parts: String(args.parts),
      by: choiceOf('by', ['random', 'user', 'time'], args.by),
      column: textOf(args.column),
      seed: numberOf('seed', args.seed),
      progress: going.progress,
    });
    const lines = result.parts.map(
      ({ path, rows }) => `${path}: ${grouped(rows)} records, ${((100 * rows) / Math.max(1, result.rows)).toFixed(2)} %`,
    );
    if (result.withoutValue > 0) lines.push(`${counted(result.withoutValue, 'record')} without a value in ${String(args.column)}`);
    output.result(args.json === true ? `${JSON.stringify({ event: 'data-split', ...result })}\n` : `${lines.map(printable).join('\n')}\n`);
    return ExitCode.done;
  },

  generate: async (args, output, going) => {
    const config = args.schema === undefined ? null : configFile(String(args.schema));
    if (config !== null && config.data.schema === null)
      throw new MonolithError('InvalidConfig', `${String(args.schema)} has no data.schema`);
    const result = await generateRecords({
      out: String(args.out),
      write: writingOf(args),
      start: numberOf('start', args.start),
      count: numberOf('count', args.count),
      clicks: {
        preset: choiceOf('preset', ['uniform', 'kaggle'], args.preset),
        rows: numberOf('rows', args.rows),
        zipf: numberOf('zipf', args.zipf),
        seed: numberOf('seed', args.seed),
      },
      schema: config?.data.schema ?? undefined,
      truth: textOf(args.truth),
      progress: going.progress,
    });
    const text = `${printable(result.path)}: ${grouped(result.rows)} records as ${result.format}, ${(100 * result.positive).toFixed(2)} % positive\n`;
    output.result(args.json === true ? `${JSON.stringify({ event: 'data-generate', ...result })}\n` : text);
    return ExitCode.done;
  },

  validate: async (args, output, going) => {
    const result = await validateRecords({
      ...readingOf(args),
      config: args.schema === undefined ? undefined : configFile(String(args.schema)),
      most: numberOf('most', args.most),
      progress: going.progress,
    });
    const lines = [
      ...result.problems.map(({ message }) => message),
      ...(result.bad > result.problems.length ? [`… and ${grouped(result.bad - result.problems.length)} more`] : []),
      ...result.files.map(
        ({ path, good, bad, cut }) => `${path}: ${grouped(good)} good, ${grouped(bad)} bad${cut ? '; what follows could not be read' : ''}`,
      ),
    ];
    output.result(
      args.json === true ? `${JSON.stringify({ event: 'data-validate', ...result })}\n` : `${lines.map(printable).join('\n')}\n`,
    );
    return result.bad === 0 ? ExitCode.done : ExitCode.failed;
  },
};

function readingOf(args: CommandArguments): { files: readonly string[]; format: string; options: ReturnType<typeof formatOptions> } {
  return { files: textsOf(args.files), format: String(args.format ?? 'auto'), options: formatOptions('read-option', args['read-option']) };
}

function writingOf(args: CommandArguments): { to: string | undefined; options: ReturnType<typeof formatOptions>; force: boolean } {
  return { to: textOf(args.to), options: formatOptions('write-option', args['write-option']), force: args.force === true };
}

async function inspected(args: CommandArguments, going: Going): Promise<InspectResult> {
  const result = await inspectRecords({ ...readingOf(args), against: textsOf(args.against), progress: going.progress });
  if (args.html !== undefined) await writeNew(String(args.html), inspectPage(result), args.force === true);
  return result;
}

function jsonOf(event: string, { input, rows, columns, against }: InspectResult): string {
  return `${JSON.stringify({ event, files: input.files, format: input.format.name, findings: input.findings, rows, columns, against })}\n`;
}

function configFile(path: string): TrainingConfig {
  return resolveConfig({ file: path }).config;
}

async function writeNew(path: string, text: string, force: boolean): Promise<void> {
  if (!force && (await stat(path).catch(() => null)) !== null)
    throw new MonolithError('InvalidConfig', `${path} is there already; --force replaces it`, { path });
  await writeFileDurable(path, text);
}
