// What inspection found, for a terminal.
import type { InspectResult } from './inspect.js';
import type { ColumnProfile } from './profile.js';

const COLUMN_WIDTH = 24;

/** Text without what would move a terminal's cursor. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?');
}

/** A number with as many digits as people read. */
export function figure(value: number | string | null): string {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  if (Number.isSafeInteger(value)) return String(value);
  return String(Number(value.toPrecision(5)));
}

export function share(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = (100 * part) / whole;
  return `${percent > 0 && percent < 0.1 ? '< 0.1' : percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)} %`;
}

function cut(text: string, width: number): string {
  const plain = printable(text);
  return plain.length > width ? `${plain.slice(0, width - 1)}…` : plain;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((text, c) => (c === row.length - 1 ? text : text.padEnd(widths[c])))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

export function kindText({ kind, isList }: { readonly kind: string; readonly isList: boolean }): string {
  return isList ? `${kind}[]` : kind;
}

function rangeText(profile: ColumnProfile): string {
  if (profile.mean !== null) return `${figure(profile.min)} … ${figure(profile.max)}, mean ${figure(profile.mean)}`;
  const { lengths } = profile;
  return lengths === null ? '–' : lengths.min === lengths.max ? `${lengths.min} long` : `${lengths.min}–${lengths.max} long`;
}

function frequentText(profile: ColumnProfile): string {
  const { top, values } = profile;
  if (top.length === 0 || top[0].count < 2)
    return profile.examples
      .slice(0, 3)
      .map((text) => cut(text, 16))
      .join(', ');
  return top
    .slice(0, 3)
    .map(({ value, count }) => `${cut(value, 16)} ${share(count, values)}`)
    .join(', ');
}

/** The table of `data inspect`. */
export function inspectText({ input, rows, columns }: InspectResult): string {
  const heads = ['column', 'kind', 'missing', 'distinct', 'range', 'most frequent'];
  const lines = columns.map((profile) => [
    cut(profile.name, COLUMN_WIDTH),
    kindText(profile),
    share(profile.missing, profile.rows),
    figure(profile.distinct),
    rangeText(profile) + (profile.listLengths === null ? '' : `; ${profile.listLengths.min}–${profile.listLengths.max} values`),
    frequentText(profile),
  ]);
  const files = input.files.length === 1 ? printable(input.files[0]) : `${input.files.length} files`;
  return `${files}: ${rows} records, ${columns.length} columns\n${input.findings.map((finding) => `  ${printable(finding)}\n`).join('')}\n${table([heads, ...lines])}`;
}

/** The figures of `data stats`. */
export function statsText(result: InspectResult): string {
  const heads = [
    'column',
    'kind',
    'records',
    'missing',
    'values',
    'distinct',
    'min',
    'max',
    'mean',
    'stddev',
    '5 %',
    '50 %',
    '95 %',
    'zeros',
  ];
  const lines = result.columns.map((p) => [
    cut(p.name, COLUMN_WIDTH),
    kindText(p),
    figure(p.rows),
    share(p.missing, p.rows),
    figure(p.values),
    figure(p.distinct),
    figure(p.min),
    figure(p.max),
    figure(p.mean),
    figure(p.stddev),
    figure(p.quantiles?.[1] ?? null),
    figure(p.quantiles?.[3] ?? null),
    figure(p.quantiles?.[5] ?? null),
    p.mean === null ? '–' : share(p.zeros, p.values),
  ]);
  return table([heads, ...lines]) + driftText(result);
}

function driftText({ against, rows }: InspectResult): string {
  if (against === null) return '';
  const heads = ['column', 'PSI', 'missing before', 'after', 'values that are new', 'new categories'];
  const order = [...against.drift].sort((a, b) => b.psi - a.psi);
  const lines = order.map((drift) => [
    cut(drift.name, COLUMN_WIDTH),
    `${drift.psi.toFixed(3)}${drift.psi > 0.25 ? ' large' : drift.psi > 0.1 ? ' some' : ''}`,
    share(drift.missingBefore, 1),
    share(drift.missingAfter, 1),
    share(drift.newShare, 1),
    drift.newCategories
      .slice(0, 5)
      .map((text) => cut(text, 20))
      .join(', '),
  ]);
  return `\nDrift from ${rows} records to ${against.rows} (PSI: below 0.1 none to speak of, above 0.25 large):\n${table([heads, ...lines])}`;
}
