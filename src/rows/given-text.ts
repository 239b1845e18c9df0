import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MonolithError } from '../base/index.js';
import { parseFid } from './one-row.js';
import type { SavedSlice } from './saved-run.js';

/** Rows that somebody brings along: values of some slices of a table. Held in memory: 12 bytes and the values a row. */
export type GivenRows = {
  readonly path: string;
  /** Slices that the values are of, in the order in which a row has them. */
  readonly slices: readonly SavedSlice[];
  readonly count: number;
  readonly fids: BigUint64Array;
  /** [count, Σ dim of slices] */
  readonly values: Float32Array;
  /** Where each row stands in the input: `line 17`, `row 16`. */
  placeOf(row: number): string;
};

/** Rows as they come, in arrays that grow. */
class RowCollector {
  private fids = new BigUint64Array(1024);
  private lines = new Uint32Array(1024);
  private values: Float32Array;
  private count = 0;

  constructor(
    private readonly path: string,
    private readonly slices: readonly SavedSlice[],
    private readonly width: number,
  ) {
    this.values = new Float32Array(1024 * width);
  }

  add(fid: bigint, line: number, row: Float32Array): void {
    if (this.count === this.fids.length) this.grow();
    this.fids[this.count] = fid;
    this.lines[this.count] = line;
    this.values.set(row, this.count * this.width);
    this.count++;
  }

  rows(): GivenRows {
    const { path, slices, count, lines } = this;
    return {
      path,
      slices,
      count,
      fids: this.fids.subarray(0, count),
      values: this.values.subarray(0, count * this.width),
      placeOf: (row) => `line ${lines[row]}`,
    };
  }

  private grow(): void {
    const { fids, lines, values } = this;
    this.fids = new BigUint64Array(2 * fids.length);
    this.fids.set(fids);
    this.lines = new Uint32Array(2 * lines.length);
    this.lines.set(lines);
    this.values = new Float32Array(2 * values.length);
    this.values.set(values);
  }
}

/** Lines with their numbers from 1, without empty ones. @throws DataNotFound */
async function* linesOf(path: string): AsyncGenerator<{ readonly line: number; readonly text: string }, void, undefined> {
  const stream = createReadStream(path);
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => {});
  let line = 0;
  try {
    for await (const raw of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      const text = line === 1 ? raw.replace(/^\ufeff/, '') : raw;
      if (text.trim() !== '') yield { line, text };
    }
    if (stream.errored !== null) await failed;
  } catch (cause) {
    if (cause instanceof MonolithError) throw cause;
    throw new MonolithError('DataNotFound', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { path }, { cause });
  }
}

/** What a column of a CSV file is: the fid, a value of a row (its place among the values that are read), or nothing that is read. */
type CsvColumn = { readonly name: string; readonly kind: 'fid' | 'value' | 'skipped'; readonly place: number };

/** @throws as readGivenRows */
export async function readCsvRows(path: string, slices: readonly SavedSlice[], only: string | null): Promise<GivenRows> {
  let columns: readonly CsvColumn[] | null = null;
  let collector: RowCollector | null = null;
  let row = new Float32Array(0);
  for await (const { line, text } of linesOf(path)) {
    const cells = cellsOf(text);
    if (columns === null || collector === null) {
      const head = readHeader(path, cells, slices, only);
      columns = head.columns;
      row = new Float32Array(head.width);
      collector = new RowCollector(path, head.slices, head.width);
      continue;
    }
    if (cells.length !== columns.length) {
      throw wrong(path, line, `${cells.length} cells, the header has ${columns.length} columns`);
    }
    let fid = 0n;
    for (let i = 0; i < cells.length; i++) {
      const { name, kind, place } = columns[i];
      if (kind === 'fid') fid = fidOf(path, line, cells[i]);
      else if (kind === 'value') row[place] = floatOf(path, line, name, cells[i]);
    }
    collector.add(fid, line, row);
  }
  if (collector === null)
    throw new MonolithError('DataFormat', `${path}: is empty; expected a header with fid and ${exampleOf(slices)}`, { path });
  return collector.rows();
}

function readHeader(
  path: string,
  names: readonly string[],
  slices: readonly SavedSlice[],
  only: string | null,
): { readonly columns: readonly CsvColumn[]; readonly slices: readonly SavedSlice[]; readonly width: number } {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(path, 1, `column "${twice}" stands twice`);
  if (!names.includes('fid')) throw wrong(path, 1, `no column "fid"; expected fid and ${exampleOf(slices)}`);
  const given = slices.filter(
    (slice) => (only === null || slice.name === only) && columnNamesOf(slice).some((name) => names.includes(name)),
  );
  if (given.length === 0) throw wrong(path, 1, `no column of values; expected ${exampleOf(slices)}`);
  for (const slice of given) {
    const missing = columnNamesOf(slice).find((name) => !names.includes(name));
    if (missing !== undefined) throw wrong(path, 1, `slice "${slice.name}" has ${slice.dim} values a row: column "${missing}" is missing`);
    const beyond = `${slice.name}.${slice.dim}`;
    if (names.includes(beyond))
      throw wrong(path, 1, `slice "${slice.name}" has ${slice.dim} values a row: column "${beyond}" is one too many`);
  }
  const known = new Set(slices.flatMap((slice) => [...columnNamesOf(slice), ...stateNamesOf(slice)]));
  const places = new Map(given.flatMap(columnNamesOf).map((name, place) => [name, place]));
  const columns = names.map((name): CsvColumn => {
    const place = places.get(name);
    if (place !== undefined) return { name, kind: 'value', place };
    if (name !== 'fid' && name !== 'last_used' && !known.has(name)) {
      throw wrong(path, 1, `unknown column "${name}"; expected fid and ${exampleOf(slices)}`);
    }
    return { name, kind: name === 'fid' ? 'fid' : 'skipped', place: -1 };
  });
  return { columns, slices: given, width: places.size };
}

function columnNamesOf({ name, dim }: SavedSlice): string[] {
  return Array.from({ length: dim }, (_, i) => `${name}.${i}`);
}

function stateNamesOf({ name, state }: SavedSlice): string[] {
  return state.flatMap((array) => Array.from({ length: array.length }, (_, i) => `${name}.${array.name}.${i}`));
}

function exampleOf(slices: readonly SavedSlice[]): string {
  return slices.map(({ name, dim }) => (dim === 1 ? `${name}.0` : `${name}.0 to ${name}.${dim - 1}`)).join(', ');
}

/** @throws as readGivenRows */
export async function readJsonRows(path: string, slices: readonly SavedSlice[], chosen: readonly SavedSlice[]): Promise<GivenRows> {
  let given: readonly SavedSlice[] | null = null;
  let collector: RowCollector | null = null;
  let row = new Float32Array(0);
  for await (const { line, text } of linesOf(path)) {
    const { fid, values } = parseObject(path, line, text);
    const lists = Array.isArray(values) ? cutUp(path, line, values, chosen) : namedLists(path, line, values, slices);
    if (given === null || collector === null) {
      given = slices.filter((slice) => chosen.includes(slice) && lists.has(slice.name));
      if (given.length === 0)
        throw wrong(path, line, `no values of a slice; expected lists for ${slices.map(({ name }) => name).join(', ')}`);
      row = new Float32Array(given.reduce((sum, { dim }) => sum + dim, 0));
      collector = new RowCollector(path, given, row.length);
    }
    let place = 0;
    for (const { name, dim } of given) {
      const list = lists.get(name);
      if (!Array.isArray(list)) throw wrong(path, line, `values.${name} is missing; lines before have it`);
      if (list.length !== dim) throw wrong(path, line, `values.${name} has ${list.length} numbers, the slice has ${dim}`);
      for (const [i, value] of list.entries()) row[place++] = floatOf(path, line, `values.${name}[${i}]`, value);
    }
    if (typeof fid !== 'string' && !Number.isSafeInteger(fid)) {
      throw wrong(path, line, `fid: expected a text (numbers of JSON hold 53 bits), got ${JSON.stringify(fid) ?? 'none'}`);
    }
    collector.add(fidOf(path, line, String(fid)), line, row);
  }
  if (collector === null) throw new MonolithError('DataFormat', `${path}: is empty; expected {"fid": "…", "values": {…}} a line`, { path });
  return collector.rows();
}

function parseObject(path: string, line: number, text: string): { readonly fid: unknown; readonly values: unknown } {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch (cause) {
    throw wrong(path, line, cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof object !== 'object' || object === null || !('values' in object)) {
    throw wrong(path, line, 'expected {"fid": "…", "values": {…}}');
  }
  return { fid: 'fid' in object ? object.fid : undefined, values: object.values };
}

function namedLists(path: string, line: number, values: unknown, slices: readonly SavedSlice[]): Map<string, unknown> {
  if (typeof values !== 'object' || values === null) throw wrong(path, line, 'values: expected an object of lists, or one list');
  const lists = new Map<string, unknown>(Object.entries(values));
  const unknown = [...lists.keys()].find((name) => !slices.some((slice) => slice.name === name));
  if (unknown === undefined) return lists;
  throw wrong(path, line, `values.${unknown}: the table has no such slice; it has ${slices.map(({ name }) => name).join(', ')}`);
}

/** One list of the values of all slices that are asked for. */
function cutUp(path: string, line: number, values: readonly unknown[], slices: readonly SavedSlice[]): Map<string, unknown> {
  const width = slices.reduce((sum, { dim }) => sum + dim, 0);
  if (values.length !== width) {
    const parts = slices.map(({ name, dim }) => `${name} ${dim}`).join(', ');
    throw wrong(path, line, `values has ${values.length} numbers, expected ${width} (${parts})`);
  }
  const lists = new Map<string, unknown>();
  let at = 0;
  for (const { name, dim } of slices) {
    lists.set(name, values.slice(at, at + dim));
    at += dim;
  }
  return lists;
}

function fidOf(path: string, line: number, text: string): bigint {
  try {
    return parseFid(text.trim());
  } catch (cause) {
    throw wrong(path, line, cause instanceof Error ? cause.message : String(cause));
  }
}

function floatOf(path: string, line: number, column: string, value: unknown): number {
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /\d/.test(value) && !/^\s*[-+]?0[xob]/i.test(value));
  const number = isNumber ? Math.fround(Number(value)) : Number.NaN;
  if (Number.isFinite(number)) return number;
  throw wrong(path, line, `column "${column}": expected a finite float32, got ${JSON.stringify(value)}`, column);
}

/** Cells of a line; those in quotes may hold commas and doubled quotes. */
function cellsOf(text: string): string[] {
  if (!text.includes('"')) return text.split(',');
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, inQuotes, plain]) => inQuotes?.replaceAll('""', '"') ?? plain);
}

function wrong(path: string, line: number, problem: string, column: string | null = null): MonolithError {
  return new MonolithError('DataFormat', `${path} line ${line}: ${problem}`, { path, line, column });
}
