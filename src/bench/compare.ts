import { readFileSync } from 'node:fs';
import { MonolithError } from '../base/index.js';
import { alignedTable } from '../telemetry/index.js';
import { BENCH_FORMAT, type BenchFile, type BenchResult } from './result.js';
import { figure } from './text.js';

/** One figure that two result files have in common. */
export type Change = {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  readonly before: BenchResult;
  readonly after: BenchResult;
  /** How many times better the new one is: new / old, or old / new where less is better. */
  readonly ratio: number;
  /** The ranges between the quartiles do not touch, and the medians differ by more than {@link LEAST_CHANGE}. */
  readonly beyondNoise: boolean;
};

/** Medians closer than this are the same: two runs on one quiet machine differ by as much. */
const LEAST_CHANGE = 0.02;

/** A result file from disk. @throws InvalidConfig where it is no such file */
export function readBenchFile(path: string): BenchFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new MonolithError(
      'InvalidConfig',
      `${path}: not a file of bench results (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  const file = value as Partial<BenchFile> | null;
  if (file?.format !== BENCH_FORMAT || !Array.isArray(file.results))
    throw new MonolithError(
      'InvalidConfig',
      `${path}: not a file of bench results: format is ${JSON.stringify(file?.format)}, expected "${BENCH_FORMAT}"`,
    );
  return file as BenchFile;
}

/** Figures of both files, in the order of the new one. Those without samples on either side are left out. */
export function compareResults(old: BenchFile, now: BenchFile): Change[] {
  const known = new Map(old.results.map((result) => [key(result), result]));
  return now.results.flatMap((after) => {
    const before = known.get(key(after));
    if (before === undefined || before.median === null || after.median === null || before.unit !== after.unit) return [];
    const ratio = after.better === 'higher' ? after.median / before.median : before.median / after.median;
    if (!Number.isFinite(ratio)) return [];
    return [
      {
        suite: after.suite,
        name: after.name,
        unit: after.unit,
        before,
        after,
        ratio,
        beyondNoise: apart(before, after) && Math.abs(ratio - 1) > LEAST_CHANGE,
      },
    ];
  });
}

function key({ suite, name }: BenchResult): string {
  return `${suite}\n${name}`;
}

/** Units of figures that are the same each time. */
const COUNTED = new Set(['bytes a row', 'bytes a step', 'bytes']);

function apart(a: BenchResult, b: BenchResult): boolean {
  // One or two rounds tell nothing of noise, unless the figure counts something.
  if (!COUNTED.has(a.unit) && Math.min(a.samples, b.samples) < 3) return false;
  return Number(a.p75) < Number(b.p25) || Number(b.p75) < Number(a.p25);
}

function quartiles({ p25, p75, samples }: BenchResult): string {
  return samples < 2 ? '' : `${figure(p25)} – ${figure(p75)}`;
}

/** Changes for people. `+` and `-` mark those beyond the noise of both runs. */
export function compareText(old: BenchFile, now: BenchFile, changes: readonly Change[]): string {
  const rows = changes.map(({ suite, name, unit, before, after, ratio, beyondNoise }) => [
    `${suite}: ${name}`,
    figure(before.median),
    quartiles(before),
    figure(after.median),
    quartiles(after),
    unit,
    `${ratio.toFixed(3)}×`,
    beyondNoise ? (ratio > 1 ? '+' : '-') : '',
  ]);
  const table = alignedTable(['what', 'old', 'quartiles', 'new', 'quartiles', 'unit', 'better', ''], rows);
  const only = (one: BenchFile, other: BenchFile): number => {
    const names = new Set(other.results.map(key));
    return one.results.filter((result) => !names.has(key(result))).length;
  };
  const notes = [
    `${changes.length} figures in both, ${changes.filter((change) => change.beyondNoise).length} changed beyond noise (+ better, - worse)`,
  ];
  const [gone, fresh] = [only(old, now), only(now, old)];
  if (gone > 0) notes.push(`${gone} only in the old file`);
  if (fresh > 0) notes.push(`${fresh} only in the new file`);
  if (JSON.stringify(old.machine.cpu) !== JSON.stringify(now.machine.cpu)) notes.push('different machines: the ratios compare those too');
  return `${table}\n\n${notes.join('; ')}\n`;
}

/** Changes for the worse that count: beyond noise and below the ratio asked for. */
export function failures(changes: readonly Change[], failBelow: number): Change[] {
  return changes.filter(({ ratio, beyondNoise }) => beyondNoise && ratio < failBelow);
}
