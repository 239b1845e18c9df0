import { join } from 'node:path';
import { cityHash64Into, MonolithError, mix64, seedFromNames, type Uint64Halves } from '../../base/index.js';
import { cell, type FieldValue, pickRows } from '../batch-builder.js';
import { type InputOptions, openRecords, type RecordInput } from '../input.js';
import type { RecordColumn } from '../record-batch.js';
import { checkOutputs, type OutputOptions, OutputSet, outputFormat } from './outputs.js';

export type SplitRequest = InputOptions & {
  readonly files: readonly string[];
  /** `train=0.8,valid=0.1,test=0.1`: names of the parts and their shares, which add up to 1. */
  readonly parts: string;
  /** random: each record by itself; user: all records of one value of `column` together; time: the earliest first, by `column`. */
  readonly by: 'random' | 'user' | 'time';
  readonly column?: string | undefined;
  readonly seed?: number | undefined;
  /** Folder of the files, which are called after their parts. */
  readonly out: string;
  readonly write: OutputOptions;
  readonly progress?: ((rows: number) => void) | undefined;
};

export type SplitResult = {
  readonly rows: number;
  readonly findings: readonly string[];
  readonly parts: readonly { readonly name: string; readonly path: string; readonly rows: number }[];
  /** Records without a value in the column: by user each is a user of its own, by time they go to the first part. */
  readonly withoutValue: number;
  /** by time: the last time of each part but the last one. */
  readonly cuts: readonly number[];
};

/** Histogram buckets of one look at the times; two looks tell 2³² places apart. */
const BUCKETS = 1 << 16;
const LOOKS = 2;

/**
 * Deals records to parts. The same files, seed and shares give the same parts on every machine, in the order of the input.
 * @throws InvalidConfig, DataFormat
 */
export async function splitRecords(request: SplitRequest): Promise<SplitResult> {
  const parts = parseParts(request.parts);
  const input = await openRecords(request.files, request);
  const { to = input.format.name } = request.write;
  const format = outputFormat('', to);
  const ending = format.extensions[0] ?? `.${format.name}`;
  const paths = parts.map(({ name }) => join(request.out, `${name}${ending}`));
  await checkOutputs(paths, input.files, request.write.force === true);
  const column = columnOf(request, input);
  const ends = cumulative(parts.map(({ share }) => share));
  const cuts = request.by === 'time' ? await timeCuts(input, column, ends) : [];
  const outputs = await OutputSet.create(paths, format, input.fields, request.write.options ?? {});
  const chooser = new PartChooser(request.by, request.seed ?? 42, ends, cuts);
  try {
    let rows = 0;
    for await (const batch of input.batches()) {
      const dealt: number[][] = parts.map(() => []);
      for (let r = 0; r < batch.rows; r++) dealt[chooser.partOf(rows + r, column < 0 ? null : batch.columns[column], r)].push(r);
      for (const [part, picked] of dealt.entries()) await outputs.write(part, pickRows(batch, picked));
      rows += batch.rows;
      request.progress?.(rows);
    }
    await outputs.close();
    return {
      rows,
      findings: input.findings,
      parts: parts.map(({ name }, i) => ({ name, path: paths[i], rows: outputs.rows[i] })),
      withoutValue: chooser.withoutValue,
      cuts,
    };
  } catch (error) {
    await outputs.abort();
    throw error;
  }
}

function parseParts(text: string): { name: string; share: number }[] {
  const parts = text.split(',').map((pair) => {
    const [name, share] = pair.split('=').map((piece) => piece.trim());
    return { name, share: Number(share) };
  });
  const wrong = (what: string): MonolithError =>
    new MonolithError('InvalidConfig', `--parts ${text}: ${what}; expected e.g. train=0.8,valid=0.1,test=0.1`);
  if (parts.some(({ name, share }) => !/^[\w.-]+$/.test(name) || name.startsWith('.') || !(share > 0 && share <= 1)))
    throw wrong('a part needs a name and a share above 0');
  if (new Set(parts.map(({ name }) => name)).size < parts.length) throw wrong('two parts have one name');
  const sum = parts.reduce((total, { share }) => total + share, 0);
  if (Math.abs(sum - 1) > 1e-9) throw wrong(`the shares add up to ${Number(sum.toFixed(9))}, not to 1`);
  return parts;
}

/** Where each part ends in 0 … 1; the last one at 1. */
function cumulative(shares: readonly number[]): number[] {
  let sum = 0;
  return shares.map((share, i) => {
    sum += share;
    return i === shares.length - 1 ? 1 : sum;
  });
}

function columnOf({ by, column }: SplitRequest, { fields }: RecordInput): number {
  if (by === 'random') {
    if (column !== undefined) throw new MonolithError('InvalidConfig', 'a random split has no --column; say --by user or --by time');
    return -1;
  }
  if (column === undefined) throw new MonolithError('InvalidConfig', `--by ${by} needs the name of the column: --column NAME`);
  const at = fields.findIndex(({ name }) => name === column);
  if (at < 0)
    throw new MonolithError(
      'InvalidConfig',
      `there is no column "${column}"; there are ${fields
        .map(({ name }) => name)
        .slice(0, 12)
        .join(', ')}`,
    );
  if (fields[at].isList) throw new MonolithError('InvalidConfig', `column "${column}" holds lists; a split needs one value a record`);
  return at;
}

class PartChooser {
  withoutValue = 0;
  private readonly base: Uint64Halves;
  private readonly mixed: Uint64Halves = { low: 0, high: 0 };
  private readonly hash = new Uint32Array(2);

  constructor(
    private readonly by: SplitRequest['by'],
    seed: number,
    private readonly ends: readonly number[],
    private readonly cuts: readonly number[],
  ) {
    this.base = seedFromNames(seed, 'data split', by);
  }

  partOf(record: number, column: RecordColumn | null, row: number): number {
    const value = column === null ? null : (cell(column, row) as FieldValue | null);
    if (column !== null && value === null) this.withoutValue++;
    if (this.by === 'time') {
      if (value === null) return 0;
      const time = timeOf(value, record, (column as RecordColumn).name);
      let part = 0;
      while (part < this.cuts.length && time > this.cuts[part]) part++;
      return part;
    }
    let low = record >>> 0;
    let high = Math.floor(record / 0x100000000);
    if (value !== null) {
      const bytes = typeof value === 'object' ? value : Buffer.from(String(value), 'utf8');
      cityHash64Into(bytes, 0, bytes.length, this.hash, 0);
      [low, high] = this.hash;
    }
    mix64((this.base.low ^ low) >>> 0, (this.base.high ^ high) >>> 0, this.mixed);
    const place = this.mixed.high / 0x100000000;
    let part = 0;
    while (place >= this.ends[part]) part++;
    return part;
  }
}

/** A time as a number: numbers as they are, texts as dates (ISO 8601 and what Date.parse knows) in milliseconds. */
function timeOf(value: FieldValue, record: number, column: string): number {
  const time =
    typeof value === 'string' ? Date.parse(/^\d{4}-\d\d-\d\d \d/.test(value) ? `${value.replace(' ', 'T')}` : value) : Number(value);
  if (!Number.isNaN(time) && typeof value !== 'object') return time;
  throw new MonolithError(
    'DataFormat',
    `record ${record + 1}, field "${column}": ${JSON.stringify(String(value).slice(0, 40))} is no time; expected a number or a date such as 2024-05-01T12:00:00Z`,
    {
      record: record + 1,
      field: column,
    },
  );
}

/**
 * The times that parts end at, so that each has its share, as near as records of equal time allow: those are never torn apart. The files are
 * read once for the range and twice for histograms, each inside the bucket of the one before.
 */
async function timeCuts(input: RecordInput, column: number, ends: readonly number[]): Promise<number[]> {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let count = 0;
  const each = async (visit: (time: number) => void): Promise<void> => {
    let record = 0;
    for await (const batch of input.batches()) {
      for (let r = 0; r < batch.rows; r++, record++) {
        const value = cell(batch.columns[column], r) as FieldValue | null;
        if (value !== null) visit(timeOf(value, record, batch.columns[column].name));
      }
    }
  };
  await each((time) => {
    if (!Number.isFinite(time)) return;
    least = Math.min(least, time);
    most = Math.max(most, time);
    count++;
  });
  if (count === 0) throw new MonolithError('DataFormat', `column "${input.fields[column].name}" has no times`);
  const searches = ends.slice(0, -1).map((end) => ({
    wanted: end * count,
    below: 0,
    low: least,
    high: most,
    counts: new Float64Array(BUCKETS),
    largest: new Float64Array(BUCKETS),
  }));
  let cuts: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    for (const search of searches) {
      search.counts.fill(0);
      search.largest.fill(Number.NEGATIVE_INFINITY);
      search.below = 0;
    }
    await each((time) => {
      for (const search of searches) {
        if (time < search.low) search.below++;
        else if (time <= search.high) {
          const bucket = bucketOf(time, search);
          search.counts[bucket]++;
          if (time > search.largest[bucket]) search.largest[bucket] = time;
        }
      }
    });
    cuts = searches.map((search) => {
      let sum = search.below;
      let bucket = 0;
      // The last bucket with which the part still has no more than its share; at least one record more than nothing.
      while (bucket < BUCKETS - 1 && sum + search.counts[bucket] < search.wanted) sum += search.counts[bucket++];
      const { low, high } = search;
      const cut = search.largest[bucket];
      search.low = Math.max(low, low + ((high - low) * bucket) / BUCKETS);
      search.high = Math.min(high, low + ((high - low) * (bucket + 1)) / BUCKETS);
      return cut;
    });
  }
  return cuts;
}

function bucketOf(time: number, { low, high }: { readonly low: number; readonly high: number }): number {
  return high <= low ? 0 : Math.min(BUCKETS - 1, Math.floor(((time - low) / (high - low)) * BUCKETS));
}
