import { alignedTable } from '../telemetry/index.js';
import type { BenchResult } from './result.js';

/** A figure with the digits that its size deserves: 1,234,567 · 53,412 · 110.3 · 0.0123. */
export function figure(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(1);
  if (size >= 1 || value === 0) return value.toFixed(2);
  return value.toPrecision(3);
}

/** `min – max`, or nothing where there is one sample. */
export function spreadText({ min, max, samples }: Pick<BenchResult, 'min' | 'max' | 'samples'>): string {
  return samples < 2 ? '' : `${figure(min)} – ${figure(max)}`;
}

function infoText(info: BenchResult['info']): string {
  if (info === undefined) return '';
  return Object.entries(info)
    .filter(([, value]) => value !== null && value !== '')
    .map(
      ([name, value]) =>
        `${name === 'absent' || name === 'failed' ? '' : `${name} `}${typeof value === 'number' ? (name.includes('auc') || name === 'logloss' ? value.toFixed(4) : figure(value)) : value}`,
    )
    .join(', ');
}

/** Results of one suite as a table: figure, spread, share of the limit, further figures. */
export function resultsText(results: readonly BenchResult[]): string {
  const rows = results.map((result) => [
    result.name,
    result.samples === 0 ? ('failed' in (result.info ?? {}) ? 'failed' : 'absent') : figure(result.median),
    result.unit,
    spreadText(result),
    result.limit === undefined ? '' : `${result.limit.percent.toFixed(0)} % of ${result.limit.name}`,
    infoText(result.info),
  ]);
  return alignedTable(['what', 'median', 'unit', 'min – max', 'limit', ''], rows);
}
