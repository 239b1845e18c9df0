/**
 * Number of single-letter insertions, deletions, changes and swaps of neighbours that turn `a` into `b` (optimal string alignment);
 * letters that differ only in case count nothing.
 */
export function editDistance(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let best = Math.min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) best = Math.min(best, beforeLast[column - 2] + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length];
}

/** Longest word compared; nobody mistypes a longer one, and the cost grows with the square. */
const MAX_LENGTH = 80;

/**
 * The candidate that a mistyped word most probably meant, or null when none is near: at most a third of its letters differ. `_` and `-` are
 * left out of the comparison.
 */
export function suggest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > MAX_LENGTH) return null;
  const plain = word.replaceAll(/[-_]/g, '');
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const candidate of candidates) {
    const target = candidate.replaceAll(/[-_]/g, '');
    if (Math.abs(target.length - plain.length) >= bestDistance) continue;
    const distance = editDistance(plain, target);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
