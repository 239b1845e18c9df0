import { MonolithError } from '../base/index.js';
import { type FeatureSchema, isSampling, type LabelSampling, type RecordFilter } from '../features/index.js';
import { FilterMode } from './program.js';

/** What the action of a filter holds. */
export type FilterParts = { readonly mode: number; readonly constants: readonly number[]; readonly strings: readonly string[] };

/** The parts of a filter's action. */
export function filterParts(filter: RecordFilter): FilterParts {
  const { atLeast, atMost, equals, notIn } = filter;
  const list = filter.in ?? notIn ?? (equals === undefined ? null : [equals]);
  const leaveOut = (filter.keep === false) !== (notIn !== undefined);
  const mode =
    (atLeast === undefined ? 0 : FilterMode.atLeast) |
    (atMost === undefined ? 0 : FilterMode.atMost) |
    (list === null ? 0 : FilterMode.list) |
    (leaveOut ? FilterMode.leaveOut : 0);
  const numbers = (list ?? []).filter((value) => typeof value === 'number');
  const strings = (list ?? []).filter((value) => typeof value === 'string');
  return { mode, constants: [atLeast ?? 0, atMost ?? 0, ...numbers], strings };
}

/** The samplings of a schema, in order. */
export function samplingsOf(filters: readonly RecordFilter[] | undefined): LabelSampling['sample'][] {
  return (filters ?? []).filter(isSampling).map(({ sample }) => sample);
}

/** Formats whose parsers know neither crosses nor filters. */
const plainFormats: ReadonlySet<string> = new Set(['jsonl', 'vw', 'npz', 'parquet', 'arrow', 'avro']);

/** @throws InvalidConfig for what the parser of the format would pass over. */
export function checkFormatKnows(schema: FeatureSchema, format: string, where: string): void {
  if (!plainFormats.has(format)) return;
  const cross = schema.features.find(({ type }) => type === 'cross');
  const what = cross !== undefined ? `feature "${cross.name}" is a cross` : schema.filters !== undefined ? 'the schema has filters' : null;
  if (what === null) return;
  throw new MonolithError(
    'InvalidConfig',
    `${where}: ${what}, and data of the format ${format} are read without crosses and filters. Convert them to csv or tfrecord (monolith-local data convert), or take it out of the schema`,
    { format },
  );
}
