import { MonolithError, type Variables } from '../../base/index.js';
import { listCheckpoints, RunLock } from '../../checkpoint/index.js';
import type { ResolvedConfig } from '../../config/index.js';
import { bindModel, Estimator, openNewest } from '../../estimator/index.js';
import {
  type ExistingRows,
  type ExportedTable,
  type ExportFormat,
  existingChoices,
  exportFormats,
  exportText,
  exportToFolder,
  type ImportResult,
  importRows,
  openSaved,
  readGivenRows,
  savedRun,
  slicesOfPlan,
  tableNamed,
} from '../../rows/index.js';
import { ExitCode } from '../exit-codes.js';
import { type CommandArguments, configOf, configOfTrained } from '../flags.js';
import type { Output } from '../output.js';

/** `rows export`: rows of a checkpoint to standard output, or as files. */
export async function exportRowsCommand(args: CommandArguments, output: Output): Promise<number> {
  const format = oneOf<ExportFormat>('format', exportFormats, args.format);
  const state = args.state === true;
  const folder = textOf(args.output);
  const run = await openSaved(String(args.path));
  const name = textOf(args.table);
  if (folder !== null) {
    const tables = name === null ? run.tables : [tableNamed(run, name)];
    const exported = await exportToFolder(run, tables, { format, state }, folder);
    output.result(
      args.json === true ? `${JSON.stringify({ event: 'rows-export', step: run.step, tables: exported })}\n` : exportedText(exported),
    );
    return ExitCode.done;
  }
  if (format === 'npy') throw new MonolithError('InvalidConfig', 'rows export: npy is several files; name a folder for them with --output');
  const table = tableNamed(run, name);
  await exportText(run, table, { format, state }, (text) => output.pour(text));
  return ExitCode.done;
}

function exportedText(exported: readonly ExportedTable[]): string {
  return exported.map(({ table, rows, files }) => `${table}: ${rows} rows in ${files.join(', ')}\n`).join('');
}

/** `rows import`: puts rows into the newest checkpoint of a run folder; where there is none, begins the run that the config describes. */
export async function importRowsCommand(args: CommandArguments, output: Output, env: Variables): Promise<number> {
  const { table: tableName, input, slice, existing, ...options } = args;
  const choice = oneOf<ExistingRows>('existing', existingChoices, existing);
  const path = textOf(input);
  if (path === null || path === '') throw new MonolithError('InvalidConfig', 'rows import: name the rows with --input');
  const resolved = options.config === undefined ? configOfTrained(options, env) : configOf(options, env);
  const { modelDir, json } = resolved.config;
  if ((await listCheckpoints(modelDir)).length === 0) await beginRun(resolved, textOf(tableName), path, textOf(slice));
  const lock = await RunLock.take(modelDir);
  let result: ImportResult;
  try {
    const reader = await openNewest(modelDir);
    if (reader === null) throw noCheckpoint(modelDir);
    const run = savedRun(reader);
    const table = tableNamed(run, textOf(tableName));
    result = await importRows(run, table, await readGivenRows(path, table.slices, textOf(slice)), choice);
  } finally {
    await lock.close();
  }
  output.result(json ? `${JSON.stringify({ event: 'rows-import', ...result })}\n` : importedText(result));
  return ExitCode.done;
}

/**
 * Checks the rows against the model that the config describes, then writes the checkpoint of step 0 that they go into. Nothing is written
 * where the rows are bad.
 */
async function beginRun(resolved: ResolvedConfig, tableName: string | null, input: string, slice: string | null): Promise<void> {
  const { config } = resolved;
  if (config.data.train.length === 0) throw noCheckpoint(config.modelDir);
  const { plan } = await bindModel(config, 'train');
  const slices = slicesOfPlan(config, plan.tables, tableName);
  await readGivenRows(input, slices, slice);
  await new Estimator(resolved).train({ signal: AbortSignal.abort() });
}

function noCheckpoint(modelDir: string): MonolithError {
  return new MonolithError(
    'CheckpointNotFound',
    `${modelDir} has no checkpoint to import into; name a config file with the data, and the run begins with these rows: rows import CONFIG --model-dir DIR`,
    { modelDir },
  );
}

function importedText({ step, path, table, given, added, replaced, kept, rows }: ImportResult): string {
  const parts = [`${added} added`, `${replaced} replaced`, `${kept} kept as they were`];
  return `${table}: ${given} rows given, ${parts.join(', ')}; ${rows} rows now\ncheckpoint of step ${step}: ${path}\n`;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function oneOf<Choice extends string>(flag: string, choices: readonly Choice[], value: unknown): Choice {
  const choice = choices.find((candidate) => candidate === value);
  if (choice !== undefined) return choice;
  throw new MonolithError('InvalidConfig', `--${flag}: expected one of ${choices.join(', ')}, got ${JSON.stringify(value)}`, { flag });
}
