/** Bytes of a stream of chunks, taken in pieces of any length. */
export class InputBytes {
  private rest: Uint8Array = new Uint8Array(0);
  /** Bytes taken so far. */
  position = 0;

  constructor(private readonly chunks: AsyncIterator<Uint8Array>) {}

  /** The next `count` bytes, fewer where the stream ends before. Allocates no more than is there. */
  async take(count: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let have = 0;
    while (have < count) {
      if (this.rest.length === 0) {
        const next = await this.chunks.next();
        if (next.done === true) break;
        this.rest = next.value;
      }
      const piece = this.rest.subarray(0, count - have);
      this.rest = this.rest.subarray(piece.length);
      have += piece.length;
      pieces.push(piece);
    }
    this.position += have;
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, have);
  }
}
