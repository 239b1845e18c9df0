// The board of robustness: figures that the tests of one run counted, against their marks. The numbers R1 … are explained in
// docs/robustness.md.
import { existsSync, readFileSync } from 'node:fs';

/** Least number of trials of each figure in the form that runs for every change; times carry their own limit. */
const MARKS = [
  ['R1', 'random kills of a whole run resumed bit-identical', 40],
  ['R1', 'longest restart to the first step (s)', null],
  ['R2', 'failpoints of checkpoint and prune reached', 20],
  ['R2', 'kills at failpoints: old or new checkpoint whole, next save clears up', 57],
  ['R2', 'kills of a run at failpoints resumed bit-identical', 17],
  ['R3', 'failed operations of a save: typed error, checkpoint before intact, next save clean', 70],
  ['R5', 'disks really full: DiskFull with path and bytes, room lets it go on', 2],
  ['R8', 'kills of parameter-server processes: nothing lost, the same bits', 3],
  ['R11', 'numbers of shards with the same rows, predictions and metrics', 5],
  ['R20', 'bit flips detected and named', 2500],
  ['R21', 'truncations and mixed-up files refused', 1000],
  ['R38', 'kept checkpoints of earlier versions loaded', 1],
];

/**
 * Prints the board.
 * @param file        lines of JSON, one a figure and test file.
 * @param isComplete  figures that are missing count as failed.
 * @returns whether all marks were met.
 */
export function printBoard(file, isComplete) {
  const lines = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  const keys = new Map(MARKS.map(([id, what, least]) => [`${id} ${what}`, { id, what, least, own: [] }]));
  for (const line of lines) {
    const key = `${line.id} ${line.what}`;
    if (!keys.has(key)) keys.set(key, { id: line.id, what: line.what, least: 1, own: [] });
    keys.get(key).own.push(line);
  }
  const shown = [...keys.values()].filter(({ own }) => isComplete || own.length > 0).map((figure) => judge(figure, isComplete));
  if (shown.length === 0) return true;
  process.stdout.write('\nrobustness of this run\n');
  for (const { id, what, count, verdict } of shown)
    process.stdout.write(`  ${id.padEnd(4)} ${what.padEnd(84)} ${count.padStart(11)}  ${verdict}\n`);
  return shown.every(({ verdict }) => verdict.startsWith('ok'));
}

function judge({ id, what, least, own }, isComplete) {
  if (own.length === 0) return { id, what, count: '', verdict: 'not run' };
  if (own[0].limit !== undefined) {
    const value = Math.max(...own.map((line) => line.value));
    return {
      id,
      what,
      count: `${value} ≤ ${own[0].limit}`,
      verdict: own.every(({ times }) => times > 0) && value <= own[0].limit ? 'ok' : 'TOO LONG',
    };
  }
  const passed = own.reduce((sum, line) => sum + line.passed, 0);
  const of = own.reduce((sum, line) => sum + line.of, 0);
  const skipped = own.find((line) => line.skipped)?.skipped;
  const verdict =
    passed < of
      ? 'FAILED'
      : skipped !== undefined
        ? `ok (skipped in part: ${skipped})`
        : isComplete && of < least
          ? `only ${of} of ${least} trials`
          : 'ok';
  return { id, what, count: `${passed}/${of}`, verdict };
}
