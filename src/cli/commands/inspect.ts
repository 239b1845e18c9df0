import { MonolithError } from '../../base/index.js';
import {
  denseValues,
  diffCheckpoints,
  findRows,
  openSaved,
  parseFid,
  type SavedRun,
  summariseTable,
  type TableSummary,
  tableNamed,
  valuesOf,
} from '../../rows/index.js';
import { ExitCode } from '../exit-codes.js';
import type { InspectOptions } from './inspect-flags.js';
import { diffText, fidText, type InspectSummary, summaryText } from './inspect-text.js';

/**
 * Shows what a checkpoint holds: the newest one of a run folder, or the one named; the rows of one fid; or what changed since another.
 * @returns the exit code: 1 where a fid has no row.
 */
export async function inspect(options: InspectOptions): Promise<number> {
  const { path, verify, json, write } = options;
  if (options.diff !== null && options.fid !== null) throw new MonolithError('InvalidConfig', 'inspect: give --diff or --fid, not both');
  const fid = options.fid === null ? null : parseFid(options.fid);
  const top = topOf(options.top);
  const run = await openSaved(path, { verify });
  const table = options.table === null ? null : tableNamed(run, options.table);
  const print = <T extends object>(event: string, result: T, text: (result: T) => string): void =>
    write(json ? `${JSON.stringify({ event, ...result })}\n` : text(result));
  if (fid !== null) {
    const report = { step: run.step, ...(await findRows(run, fid, table?.name ?? null)) };
    print('inspect-fid', report, fidText);
    return report.rows.length > 0 ? ExitCode.done : ExitCode.failed;
  }
  if (options.diff !== null) {
    print('inspect-diff', await diffCheckpoints(await openSaved(options.diff, { verify }), run), diffText);
    return ExitCode.done;
  }
  const rows: TableSummary[] = [];
  if (!options.brief) {
    for (const candidate of table === null ? run.tables : [table]) rows.push(await summariseTable(run, candidate, top));
  }
  print('inspect', { verified: verify, ...(await summarise(run, rows)) }, summaryText);
  return ExitCode.done;
}

async function summarise(run: SavedRun, summaries: readonly TableSummary[]): Promise<Omit<InspectSummary, 'verified'>> {
  const { reader, step, model, examples, metrics } = run;
  const values = await denseValues(run);
  const rowsOfSection = new Map<string, number>();
  const tables = run.tables.map(({ name, rows, changed, base, dim, stateLength, storage, sections }) => {
    const summary = summaries.find((candidate) => candidate.name === name) ?? null;
    for (const [i, section] of sections.entries()) {
      if (summary !== null && base === null) rowsOfSection.set(section, summary.sectionRows[i]);
    }
    return { name, rows, changed: changed ?? null, dim, stateLength, storage: storage ?? 'fp32', sections, summary };
  });
  return {
    step,
    base: reader.manifest.base?.step ?? null,
    model,
    examples,
    metrics,
    tables,
    parameters: run.parameters.map((parameter) => ({
      name: parameter.name,
      shape: parameter.shape,
      norm: Math.sqrt(valuesOf(values, parameter).reduce((sum, value) => sum + value * value, 0)),
    })),
    sections: reader.manifest.sections.map(({ name, bytes, crc32c }) => ({
      name,
      bytes,
      rows: rowsOfSection.get(name) ?? null,
      crc32c: (crc32c >>> 0).toString(16).padStart(8, '0'),
    })),
  };
}

function topOf(text: string): number {
  const top = Number(text);
  if (/^\d{1,4}$/.test(text)) return top;
  throw new MonolithError('InvalidConfig', `--top: expected a whole number from 0 to 9999, got "${text}"`, { top: text });
}
