const SPACE = 32;

/** A piece of bytes: of the raw block or of the scratch of unquoted fields. */
export type Token = { bytes: Uint8Array; start: number; end: number };

/** Drops spaces at both ends, in place. */
export function trimToken(token: Token): void {
  const { bytes } = token;
  while (token.end > token.start && bytes[token.start] === SPACE) token.start++;
  while (token.end > token.start && bytes[token.end - 1] === SPACE) token.end--;
}
