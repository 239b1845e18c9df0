// The parse thread's side of files that are read by position.
import { type ColumnarFile, type DecodedColumn, fileChanged, openColumnarFile } from '../../columnar/index.js';
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, P, type Program, R } from '../program.js';
import { missingRules } from './dictionary-hashes.js';
import { type BlockTask, readBlockTask } from './plan.js';
import { ColumnRows } from './rows.js';

/** Files whose tables of contents and open row groups are kept: the one that is being read, and the one before. */
const KEPT_FILES = 2;

const files: { readonly key: string; readonly file: Promise<ColumnarFile> }[] = [];

/** An open file, in the version that its blocks were planned for. */
async function fileOf({ format, path, stamp }: BlockTask): Promise<ColumnarFile> {
  const key = `${format} ${path} ${stamp.size} ${stamp.mtimeMs}`;
  const at = files.findIndex((known) => known.key === key);
  const [found] = at < 0 ? [] : files.splice(at, 1);
  const kept = found ?? { key, file: openColumnarFile(format, path) };
  files.unshift(kept);
  files.length = Math.min(files.length, KEPT_FILES);
  const file = await kept.file.catch((error: unknown) => {
    files.splice(files.indexOf(kept), 1);
    throw error;
  });
  if (file.stamp.size !== stamp.size || file.stamp.mtimeMs !== stamp.mtimeMs) throw fileChanged(path);
  return file;
}

/** Columns that the actions of a program read. */
export function actionColumns({ words }: Program): number[] {
  const numbers = new Set<number>();
  for (let i = 0; i < words[P.numActions]; i++) numbers.add(words[words[P.actionsAt] + i * ActionWords + A.column]);
  return [...numbers].sort((a, b) => a - b);
}

/**
 * Parses rows [start, start + length) of a block of a {@link ColumnarPlan}.
 * @returns the words of R and what the first bad records hold.
 */
export async function parseColumnarBlock(
  program: Program,
  raw: Uint8Array,
  start: number,
  length: number,
  block: ParsedBlock,
): Promise<{ words: Float64Array; quotes: readonly string[] }> {
  const task = readBlockTask(raw);
  const file = await fileOf(task);
  const wanted = actionColumns(program);
  const decoded = file.read(task.group, task.first + start, length, wanted);
  const columns: (DecodedColumn | null)[] = file.fields.map(() => null);
  wanted.forEach((number, i) => {
    columns[number] = decoded[i];
  });
  const words = new Float64Array(R.words);
  const rows = new ColumnRows(program, file.fields, columns, missingRules(program), block, words);
  const end = rows.run(0, length);
  rows.finish(end, end < length);
  return { words, quotes: rows.quotes };
}
