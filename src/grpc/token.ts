import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { MonolithError } from '../base/index.js';
import { WatchedFile } from './watched-file.js';

/** A bearer token: given directly, or as a file that is read again when it changes. */
export type TokenSource = { readonly token?: string; readonly tokenFile?: string };

/** Tokens shorter than this can be guessed. */
const SHORTEST_TOKEN = 16;

/**
 * The tokens of a source. A file may hold several, one a line: servers accept each of them, clients send the first, so that a token can be
 * rotated without a moment in which both sides disagree.
 */
export class Tokens {
  readonly #fixed: readonly string[] | null;
  readonly #file: WatchedFile | null;
  #parsedFrom: Buffer | null = null;
  #parsed: readonly string[] = [];

  /** @returns null when the source names no token. Throws InvalidConfig for a token that is too short or a file that can't be read. */
  static from({ token, tokenFile }: TokenSource): Tokens | null {
    if (token === undefined && tokenFile === undefined) return null;
    if (token !== undefined && tokenFile !== undefined) {
      throw new MonolithError('InvalidConfig', 'a token and a token file are given: expected one of them');
    }
    return new Tokens(token ?? null, tokenFile === undefined ? null : new WatchedFile(tokenFile, 'token'));
  }

  private constructor(token: string | null, file: WatchedFile | null) {
    this.#fixed = token === null ? null : [token];
    this.#file = file;
    const tokens = this.current();
    const where = file === null ? 'the token' : `token file ${file.path}`;
    if (tokens.length === 0 || tokens.some((one) => one.length < SHORTEST_TOKEN || !/^[\x21-\x7e]+$/.test(one))) {
      throw new MonolithError(
        'InvalidConfig',
        `${where}: expected printable characters without spaces, at least ${SHORTEST_TOKEN} of them`,
      );
    }
  }

  /** What is valid now; the first is the one to send. */
  current(): readonly string[] {
    if (this.#file === null) return this.#fixed ?? [];
    const content = this.#file.content();
    if (content !== this.#parsedFrom) {
      this.#parsedFrom = content;
      this.#parsed = content
        .toString('utf8')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
    }
    return this.#parsed;
  }

  /** Whether an Authorization header carries one of the tokens. Takes the same time for every wrong token of one length. */
  accepts(authorization: string | undefined): boolean {
    const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const sent = digest(given);
    let accepted = false;
    for (const token of this.current()) if (timingSafeEqual(sent, digest(token))) accepted = true;
    return accepted && given !== '';
  }
}

/** Compared instead of the tokens themselves: equal length whatever was sent, and no prefix to find by timing. */
const digestKey = randomBytes(32);
function digest(text: string): Buffer {
  return createHmac('sha256', digestKey).update(text).digest();
}
