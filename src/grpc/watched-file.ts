import { readFileSync, statSync } from 'node:fs';
import { MonolithError, monotonicMs } from '../base/index.js';

/** How old the knowledge of a file may be when it is used: a rotated certificate or token works within this time (promised: 5 s). */
export const RECHECK_MS = 1000;

/**
 * A small file whose content may be replaced while the process runs. Looks at the file again when it is used and the last look is older than
 * {@link RECHECK_MS}; while it can't be read (in the middle of a rotation) the last content stands.
 */
export class WatchedFile {
  #content: Buffer;
  #stamp: string;
  #checkedAt: number;

  /**
   * @param what names the file in errors ('certificate', 'token'); its content never appears in any.
   * @throws InvalidConfig if the file can't be read now.
   */
  constructor(
    readonly path: string,
    readonly what: string,
  ) {
    try {
      this.#stamp = stampOf(path);
      this.#content = readFileSync(path);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      throw new MonolithError('InvalidConfig', `${what} file ${path} can't be read (${reason})`, { path, reason });
    }
    this.#checkedAt = monotonicMs();
  }

  /** The file's content, at most {@link RECHECK_MS} old. The same object as long as it has not changed. */
  content(): Buffer {
    const now = monotonicMs();
    if (now - this.#checkedAt < RECHECK_MS) return this.#content;
    this.#checkedAt = now;
    try {
      const stamp = stampOf(this.path);
      if (stamp !== this.#stamp) {
        const content = readFileSync(this.path);
        if (!content.equals(this.#content)) this.#content = content;
        this.#stamp = stamp;
      }
    } catch {
      // Rotations replace files; the next look finds the new one.
    }
    return this.#content;
  }
}

function stampOf(path: string): string {
  const { ino, size, mtimeMs, ctimeMs } = statSync(path);
  return `${ino}/${size}/${mtimeMs}/${ctimeMs}`;
}
