import { type ColumnProfile, type ColumnProfiler, quantile } from './profile.js';

/** Buckets of a numeric column: tenths of the first set. */
const BUCKETS = 10;
/** Categories that are compared one by one; the others are one more. */
const CATEGORIES = 50;
/** A share that stands in for none, so that a logarithm exists. */
const LEAST_SHARE = 1e-4;

/** How far a column of one set is from that of another. */
export type ColumnDrift = {
  readonly name: string;
  /**
   * Population stability index: Σ (share₂ − share₁) · ln(share₂ / share₁) over buckets, missing values being one. Usual reading: below 0.1
   * no change to speak of, above 0.25 a large one.
   */
  readonly psi: number;
  readonly missingBefore: number;
  readonly missingAfter: number;
  /** Share of the second set's values that the first one has not. May be a little low (values are recognised by marks). */
  readonly newShare: number;
  /** The most frequent of those that the first set's list of frequent values lacks, where that list is complete. */
  readonly newCategories: readonly string[];
};

/** Compares one column of two sets; `after` was gathered with the marks of `before`. */
export function driftOf(before: ColumnProfiler, after: ColumnProfiler): ColumnDrift {
  const first = before.profile();
  const second = after.profile();
  const shares = first.mean === null ? categoryShares(before, after, first, second) : bucketShares(before, after);
  const missingBefore = first.rows === 0 ? 0 : first.missing / first.rows;
  const missingAfter = second.rows === 0 ? 0 : second.missing / second.rows;
  let psi = term(missingBefore, missingAfter);
  for (const [a, b] of shares) psi += term(a * (1 - missingBefore), b * (1 - missingAfter));
  const known = new Set(before.frequent.top(Number.POSITIVE_INFINITY).map(({ value }) => value));
  const isCategory = first.kind === 'text' || first.kind === 'int64';
  const newCategories =
    first.topIsExact && isCategory
      ? after.frequent
          .top(Number.POSITIVE_INFINITY)
          .filter(({ value }) => !known.has(value))
          .slice(0, 10)
          .map(({ value }) => String(value))
      : [];
  return {
    name: first.name,
    psi,
    missingBefore,
    missingAfter,
    newShare: second.values === 0 ? 0 : after.newValues / second.values,
    newCategories,
  };
}

function term(before: number, after: number): number {
  if (before === after) return 0;
  const a = Math.max(before, LEAST_SHARE);
  const b = Math.max(after, LEAST_SHARE);
  return (b - a) * Math.log(b / a);
}

function bucketShares(before: ColumnProfiler, after: ColumnProfiler): [number, number][] {
  const a = before.sample.sorted();
  const b = after.sample.sorted();
  if (a.length === 0 || b.length === 0) return [];
  const edges = [...new Set(Array.from({ length: BUCKETS - 1 }, (_, i) => quantile(a, (i + 1) / BUCKETS)))];
  const sharesOf = (values: Float64Array): number[] => {
    const counts = new Array<number>(edges.length + 1).fill(0);
    for (const value of values) {
      let bucket = 0;
      while (bucket < edges.length && value > edges[bucket]) bucket++;
      counts[bucket]++;
    }
    return counts.map((count) => count / values.length);
  };
  const of = sharesOf(b);
  return sharesOf(a).map((share, i) => [share, of[i]]);
}

function categoryShares(before: ColumnProfiler, after: ColumnProfiler, first: ColumnProfile, second: ColumnProfile): [number, number][] {
  if (first.values === 0 || second.values === 0) return [];
  const counts = new Map(after.frequent.top(Number.POSITIVE_INFINITY).map(({ value, count }) => [value, count]));
  const shares = before.frequent
    .top(CATEGORIES)
    .map(({ value, count }): [number, number] => [count / first.values, (counts.get(value) ?? 0) / second.values]);
  const rest = (side: 0 | 1): number => Math.max(0, 1 - shares.reduce((sum, pair) => sum + pair[side], 0));
  return [...shares, [rest(0), rest(1)]];
}
