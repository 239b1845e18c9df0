import type { CheckpointDiff, DistributionSummary, FidReport, ListedRow, TableDiff, TableSummary } from '../../rows/index.js';

/** What `inspect` shows of a checkpoint. */
export type InspectSummary = {
  readonly verified: boolean;
  readonly step: number;
  /** Step of the whole checkpoint that this one is a delta of; null: it is whole. */
  readonly base: number | null;
  readonly model: string;
  readonly examples: number;
  readonly metrics: { readonly [name: string]: unknown } | null;
  /** `summary`: what the rows are like; null where they were not read. */
  readonly tables: readonly {
    readonly name: string;
    readonly rows: number;
    /** Of a delta: rows that have changed since its base. */
    readonly changed: number | null;
    readonly dim: number;
    readonly stateLength: number;
    readonly storage: string;
    readonly sections: readonly string[];
    readonly summary: TableSummary | null;
  }[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly norm: number }[];
  /** `rows`: of sections of a whole checkpoint's tables whose rows were read, else null. */
  readonly sections: readonly { readonly name: string; readonly bytes: number; readonly rows: number | null; readonly crc32c: string }[];
};

export function summaryText(summary: InspectSummary): string {
  const verified = summary.verified ? ' (every byte verified)' : '';
  const delta = summary.base === null ? '' : `, a delta of checkpoint-${summary.base}`;
  const lines = [`checkpoint-${summary.step}${delta}${verified}: model ${summary.model}, ${summary.examples} examples trained`];
  if (summary.metrics !== null) {
    const shown = Object.entries(summary.metrics).map(
      ([name, value]) => `${name} ${typeof value === 'number' ? figure(value) : String(value)}`,
    );
    lines.push(`evaluation: ${shown.join(', ')}`);
  }
  const { tables, parameters, sections } = summary;
  lines.push(
    '',
    ...columns(
      ['table', 'rows', 'dim', 'state', 'stored', 'sections', ...(summary.base === null ? [] : ['changed'])],
      tables.map((t) => [t.name, t.rows, t.dim, t.stateLength, t.storage, t.sections.length, ...(t.changed === null ? [] : [t.changed])]),
    ),
  );
  for (const table of tables) if (table.summary !== null && table.summary.rows > 0) lines.push('', ...rowsText(table.summary));
  lines.push(
    '',
    ...columns(
      ['parameter', 'shape', 'L2 norm'],
      parameters.map((p) => [p.name, p.shape.join('×'), figure(p.norm)]),
    ),
    '',
    ...columns(
      ['section', 'bytes', 'rows', 'crc32c'],
      sections.map((s) => [s.name, s.bytes, s.rows ?? '', s.crc32c]),
    ),
  );
  return `${lines.join('\n')}\n`;
}

function rowsText({ name, norm, age, slices, slots, mostRecent, largestNorm }: TableSummary): string[] {
  const distribution = (label: string, d: DistributionSummary | null): (string | number)[] =>
    d === null ? [label, 'not kept'] : [label, ...[d.mean, d.min, d.p50, d.p90, d.p99, d.max].map(figure)];
  const rowsOf = (title: string, rows: readonly ListedRow[]): string[] =>
    rows.length === 0
      ? []
      : [
          '',
          ...columns(
            [title, 'slot', 'L2 norm', 'last used at step'],
            rows.map((row) => [row.fid, row.slot, figure(row.norm), row.lastUsed]),
          ),
        ];
  return [
    ...columns(
      [`rows of ${name}`, 'mean', 'min', '50 %', '90 %', '99 %', 'max'],
      [distribution('L2 norm', norm), distribution('steps since last use', age)],
    ),
    '',
    ...columns(
      ['slice', 'dim', 'mean norm', 'max norm', 'optimizer state'],
      slices.map((slice) => [slice.name, slice.dim, figure(slice.norm.mean), figure(slice.norm.max), slice.state.join(', ')]),
    ),
    '',
    ...columns(
      ['slot', 'rows', 'features'],
      slots.map((slot) => [slot.slot, slot.rows, slot.features.join(', ')]),
    ),
    ...rowsOf('fids used last', mostRecent),
    ...rowsOf('fids of largest norm', largestNorm),
  ];
}

export function fidText({ step, fid, slot, features, rows }: FidReport & { readonly step: number }): string {
  const named = features.length === 0 ? '' : ` (${features.join(', ')})`;
  const head = `fid ${fid}, slot ${slot}${named}, in checkpoint-${step}`;
  if (rows.length === 0) return `${head}: no row\n`;
  const lines = [head];
  for (const row of rows) {
    lines.push('', `table ${row.table}: last used at step ${row.lastUsed}, L2 norm ${figure(row.norm)}`);
    for (const { name, values, state } of row.slices) {
      lines.push(`  ${name}: ${values.map(exact).join(' ')}`);
      for (const [array, numbers] of Object.entries(state)) lines.push(`    ${array}: ${numbers.map(exact).join(' ')}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

export function diffText({ before, after, tables, parameters, config }: CheckpointDiff): string {
  const changed = parameters.filter(({ kind }) => kind !== 'unchanged');
  const deltas = (change: { maxDelta: number; meanDelta: number }): string[] => [figure(change.maxDelta), figure(change.meanDelta)];
  const tableRow = (t: TableDiff): (string | number)[] => [
    t.name,
    ...[t.rowsBefore, t.rowsAfter].map((rows) => rows ?? '—'),
    ...(t.note === null ? [t.added, t.removed, t.changed, t.unchanged, ...deltas(t)] : [t.note]),
  ];
  const lines = [
    `from checkpoint-${before.step} (${before.model}) to checkpoint-${after.step} (${after.model})`,
    '',
    ...columns(['table', 'rows before', 'after', 'added', 'removed', 'changed', 'same', 'max |Δ|', 'mean |Δ|'], tables.map(tableRow)),
    '',
    ...(changed.length === 0
      ? ['dense parameters: the same']
      : columns(
          ['parameter', 'change', 'max |Δ|', 'mean |Δ|'],
          changed.map((p) => [p.name, p.kind, ...deltas(p)]),
        )),
    '',
    ...(config.length === 0
      ? ['configuration: the same']
      : columns(
          ['option', 'before', 'after'],
          config.map((o) => [o.option, JSON.stringify(o.before), JSON.stringify(o.after)]),
        )),
  ];
  return `${lines.join('\n')}\n`;
}

/** Six significant figures. */
function figure(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** Nine figures tell every float32 from its neighbours. */
function exact(value: number): string {
  return String(Number(value.toPrecision(9)));
}

/** A header and rows in columns as wide as their widest cell; texts without blanks at the end of a line. */
function columns(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, i) =>
    Math.max(...cells.map((row) => (i < row.length - 1 || row.length === header.length ? (row[i] ?? '').length : 0))),
  );
  return cells.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
}
