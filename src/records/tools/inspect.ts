import { type InputOptions, openRecords, type RecordInput } from '../input.js';
import { type ColumnDrift, driftOf } from './drift.js';
import { type ColumnProfile, Profiler } from './profile.js';

export type InspectRequest = InputOptions & {
  readonly files: readonly string[];
  /** A later set to compare. */
  readonly against?: readonly string[] | undefined;
  readonly progress?: ((rows: number) => void) | undefined;
};

export type InspectResult = {
  readonly input: RecordInput;
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
  /** Of the later set, where there is one. */
  readonly against: {
    readonly files: readonly string[];
    readonly rows: number;
    readonly columns: readonly ColumnProfile[];
    readonly drift: readonly ColumnDrift[];
  } | null;
};

/** Reads all records once and says what each column is like; compares a second set with the first. */
export async function inspectRecords(request: InspectRequest): Promise<InspectResult> {
  const input = await openRecords(request.files, request);
  const compares = request.against !== undefined && request.against.length > 0;
  const first = new Profiler(input.fields, compares);
  for await (const batch of input.batches()) {
    first.add(batch);
    request.progress?.(first.rows);
  }
  const columns = first.profiles();
  if (!compares) return { input, rows: first.rows, columns, against: null };
  // The kinds of the first set go for both.
  const kinds = input.format.name === 'csv' || input.format.name === 'tsv' ? kindsOf(input) : {};
  const later = await openRecords(request.against ?? [], { format: input.format.name, options: { ...request.options, ...kinds } });
  const common = input.fields.map((field) =>
    later.fields.findIndex(({ name, kind, isList }) => name === field.name && kind === field.kind && isList === field.isList),
  );
  const second = new Profiler(input.fields, false, first.marks);
  for await (const { rows, columns: found } of later.batches()) {
    const empty = { offsets: new Uint32Array(rows + 1), missing: new Uint8Array(rows).fill(1), values: [] };
    second.add({ rows, columns: common.map((at, c) => (at < 0 ? { ...input.fields[c], ...empty } : found[at])) });
    request.progress?.(first.rows + second.rows);
  }
  const drift = first.columns.map((column, c) => driftOf(column, second.columns[c]));
  return { input, rows: first.rows, columns, against: { files: later.files, rows: second.rows, columns: second.profiles(), drift } };
}

function kindsOf({ fields }: RecordInput): { kinds: string } {
  return { kinds: JSON.stringify(Object.fromEntries(fields.map(({ name, kind, isList }) => [name, isList ? `${kind}[]` : kind]))) };
}
