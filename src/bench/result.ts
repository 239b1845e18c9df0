/** What one measurement says before the harness adds machine, limits and command: one line of JSON from a suite's process. */
export type Measurement = {
  readonly name: string;
  /** What a sample counts, such as 'GFLOP/s', 'M rows/s', 'µs', 'samples/s', 'bytes'. */
  readonly unit: string;
  /** Whether more or less of it is better. */
  readonly better: 'higher' | 'lower';
  /** One figure a round, in the order they were taken. */
  readonly values: readonly number[];
  /** The physical limit that bounds it. `times` turns the limit's unit into this one's: limit figure × times (1 when left out). */
  readonly limit?: { readonly name: string; readonly times?: number };
  /** Further figures of the same run, such as `auc` and `logloss`, and notes. */
  readonly info?: Readonly<Record<string, number | string | null>>;
};

/** One figure of a result file. Of a measurement without samples (an absent peer) every number is null. */
export type BenchResult = {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly median: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly p25: number | null;
  readonly p75: number | null;
  readonly samples: number;
  /** What bounds it, measured in the same run: the limit in this result's unit and the share of it that was reached. */
  readonly limit?: { readonly name: string; readonly value: number; readonly percent: number };
  readonly info?: Readonly<Record<string, number | string | null>>;
  /** Repeats this figure. */
  readonly command: string;
};

/** A file of results: everything of one run of `monolith-local bench`. */
export type BenchFile = {
  readonly format: typeof BENCH_FORMAT;
  readonly date: string;
  readonly seconds: number;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string | null>>;
  readonly results: readonly BenchResult[];
};

export const BENCH_FORMAT = 'monolith-local-bench-1';

/** The q-quantile of sorted values, linear between neighbours. NaN for none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

export type Spread = Pick<BenchResult, 'median' | 'min' | 'max' | 'p25' | 'p75' | 'samples'>;

/** Median, ends and quartiles of samples; nulls for none. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { median: null, min: null, max: null, p25: null, p75: null, samples: 0 };
  const sorted = Float64Array.from(values).sort();
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    p25: quantile(sorted, 0.25),
    p75: quantile(sorted, 0.75),
    samples: sorted.length,
  };
}

/** Limits of this machine: name → figure. */
export type Limits = ReadonlyMap<string, number>;

/** Adds statistics, the share of the limit and the command to a measurement. A limit that was not measured is left out. */
export function completeResult(suite: string, measurement: Measurement, limits: Limits, command: string): BenchResult {
  const { name, unit, better, values, limit, info } = measurement;
  const spread = spreadOf(values);
  const figure = limit === undefined ? undefined : limits.get(limit.name);
  const bound =
    limit === undefined || figure === undefined || spread.median === null
      ? null
      : { name: limit.name, value: figure * (limit.times ?? 1), percent: 0 };
  return {
    suite,
    name,
    unit,
    better,
    ...spread,
    ...(bound === null || spread.median === null ? {} : { limit: { ...bound, percent: (100 * spread.median) / bound.value } }),
    ...(info === undefined ? {} : { info }),
    command,
  };
}

/** A line of a suite's process as a measurement; null for anything else that it prints. */
export function parseMeasurement(line: string): Measurement | null {
  if (!line.startsWith('{')) return null;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const { name, unit, better, values } = value as Partial<Measurement>;
  if (typeof name !== 'string' || typeof unit !== 'string' || (better !== 'higher' && better !== 'lower')) return null;
  if (!Array.isArray(values) || !values.every((figure) => typeof figure === 'number' && Number.isFinite(figure))) return null;
  return value as Measurement;
}
