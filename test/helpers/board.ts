import { appendFileSync } from 'node:fs';
import { after } from 'node:test';

/** Names the file that test/run.mjs collects figures in; without it they go nowhere. */
const BOARD_FILE = 'MONOLITH_TEST_BOARD';

/** Whether the long forms of the robustness tests run (`npm run test:long`). */
export const isLong = process.env.MONOLITH_TEST_LONG === '1';

/**
 * One line of the board of robustness: how many of the trials of a kind passed, counted as they were made. Made at the top of a test file; what
 * it counted is written down when the file's tests are through.
 *
 * @param id   of the figure (R1 … S12).
 * @param what as the board shows it; test/board.mjs holds the mark for it.
 */
export class Figure {
  private passed = 0;
  private of = 0;
  private skipped: string | null = null;

  constructor(id: string, what: string) {
    after(() => write({ id, what, passed: this.passed, of: this.of, skipped: this.skipped }));
  }

  /** One trial: passes unless it throws. */
  async trial<Result>(act: () => Promise<Result> | Result): Promise<Result> {
    this.of++;
    const result = await act();
    this.passed++;
    return result;
  }

  /** This machine can't make the trials. */
  skip(reason: string): void {
    this.skipped = reason;
  }
}

/** The longest of times that have a limit, in seconds. */
export class LongestTime {
  private seconds = 0;
  private times = 0;

  private limit: number;

  constructor(id: string, what: string, limitSeconds: number) {
    this.limit = limitSeconds;
    after(() => write({ id, what, value: rounded(this.seconds), limit: rounded(this.limit), times: this.times }));
  }

  /** Raises the limit where it is below this: what the same thing takes without a fault on a machine that is busy. */
  allow(seconds: number): void {
    this.limit = Math.max(this.limit, seconds);
  }

  add(seconds: number): void {
    this.times++;
    this.seconds = Math.max(this.seconds, seconds);
  }
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(2));
}

function write(line: object): void {
  const file = process.env[BOARD_FILE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}
