const WRITTEN = 0;
const IS_ON = 1;
const HEADER = 8;
const ENTRY = 4;
/** Entries that a log holds before it overwrites the oldest: those of some dozen steps, and whoever reads does so at every step. */
const CAPACITY = 512;

/** A stretch of time that a thread spent on one thing; times in milliseconds since the epoch, the same clock for all threads of a process. */
export type LoggedSpan = { readonly kind: number; readonly step: number; readonly beginMs: number; readonly endMs: number };

/**
 * What one thread did when, in shared memory: one writer, which allocates nothing, and one reader. Off until the reader turns it on; then the
 * oldest entries give way to new ones. What was written before an atomic store of the writer is seen by who has read that store.
 */
export class SpanLog {
  static readonly length = HEADER + CAPACITY * ENTRY;
  private readEntries = 0;

  /** @param words [SpanLog.length] zeroed shared memory. */
  constructor(private readonly words: Float64Array) {}

  /** @param beginMs, endMs of this thread's performance.now(). */
  add(kind: number, step: number, beginMs: number, endMs: number): void {
    const { words } = this;
    if (words[IS_ON] === 0) return;
    const at = HEADER + (words[WRITTEN] % CAPACITY) * ENTRY;
    words[at] = kind;
    words[at + 1] = step;
    words[at + 2] = performance.timeOrigin + beginMs;
    words[at + 3] = performance.timeOrigin + endMs;
    words[WRITTEN]++;
  }

  /** Reader: turns the log on or off; entries so far are skipped. */
  record(on: boolean): void {
    this.readEntries = this.words[WRITTEN];
    this.words[IS_ON] = on ? 1 : 0;
  }

  /** Reader: entries since the last call, oldest first. */
  take(): LoggedSpan[] {
    const { words } = this;
    const written = words[WRITTEN];
    const spans: LoggedSpan[] = [];
    for (let i = Math.max(this.readEntries, written - CAPACITY); i < written; i++) {
      const at = HEADER + (i % CAPACITY) * ENTRY;
      spans.push({ kind: words[at], step: words[at + 1], beginMs: words[at + 2], endMs: words[at + 3] });
    }
    this.readEntries = written;
    return spans;
  }
}
