// Parsed blocks in file order, several parses in flight.
import type { BatchLayout } from '../tensor/index.js';
import type { ParsePool } from './parse-pool.js';
import { ParsedBlock } from './parsed-block.js';
import { R } from './program.js';
import type { RawBlock, RawReader } from './raw-reader.js';

/** What one parse call made of a part of a raw block. */
export type ParsedPart = {
  readonly block: ParsedBlock;
  /** Byte in the raw block where the part starts. */
  readonly start: number;
  readonly bad: number;
  readonly lines: number;
};

export type ParsedRaw = { readonly raw: RawBlock; readonly parts: readonly ParsedPart[] };

/** Memory of parsed blocks and of windows' orders, used again. */
export class BlockStore {
  private readonly free: ParsedBlock[] = [];
  private readonly freePicks: Int32Array[] = [];

  acquire(layout: BatchLayout): ParsedBlock {
    const at = this.free.findIndex((block) => fits(block.slot.layout, layout));
    const [found] = at < 0 ? [] : this.free.splice(at, 1);
    return found ?? ParsedBlock.allocate(layout);
  }

  release(block: ParsedBlock): void {
    this.free.push(block);
  }

  /** Room for `pairs` pairs (block, row), or more. */
  acquirePicks(pairs: number): Int32Array {
    const found = this.freePicks.pop();
    return found !== undefined && found.length >= pairs * 2 ? found : new Int32Array(pairs * 2);
  }

  releasePicks(picks: Int32Array): void {
    this.freePicks.push(picks);
  }
}

function fits(have: BatchLayout, want: BatchLayout): boolean {
  if (have.maxExamples < want.maxExamples) return false;
  return have.groups.every((group, g) => group.maxIds >= (want.groups[g]?.maxIds ?? 0));
}

export class ParsedStream {
  private readonly inFlight: Promise<ParsedRaw | null>[] = [];
  private reading: Promise<unknown> = Promise.resolve();
  private ended = false;

  constructor(
    private readonly reader: RawReader,
    private readonly pool: ParsePool,
    private readonly store: BlockStore,
    private readonly layoutFor: (raw: RawBlock) => BatchLayout,
  ) {}

  /** The next raw block's parts, in file order; null at the end. */
  async next(): Promise<ParsedRaw | null> {
    if (this.ended) return null;
    while (this.inFlight.length <= this.pool.threads) this.inFlight.push(this.start());
    const result = (await this.inFlight.shift()) ?? null;
    if (result === null) this.ended = true;
    return result;
  }

  releaseRaw(raw: RawBlock): void {
    this.reader.release(raw);
  }

  async close(): Promise<void> {
    this.ended = true;
    // Closing the reader first ends a read that waits for input.
    await this.reader.close();
    await Promise.allSettled(this.inFlight);
  }

  private start(): Promise<ParsedRaw | null> {
    const raw = this.reading.then(() => this.reader.next());
    this.reading = raw;
    const parsed = raw.then((block) => (block === null ? null : this.parse(block)));
    // Whoever takes it out of the queue sees the error; until then it must not count as unhandled.
    parsed.catch(() => {});
    raw.catch(() => {});
    return parsed;
  }

  private async parse(raw: RawBlock): Promise<ParsedRaw> {
    const parts: ParsedPart[] = [];
    let layout = this.layoutFor(raw);
    let start = 0;
    while (start < raw.length) {
      const block = this.store.acquire(layout);
      const { common, shape, buffer } = block;
      const result = await this.pool.run({
        program: raw.file.program,
        raw: raw.buffer,
        start,
        length: raw.length - start,
        common,
        shape,
        block: buffer,
      });
      const consumed = result[R.consumed] as number;
      if (consumed === 0 && result[R.full] === 1) {
        // One record alone is larger than the block: its ids are bounded by maxIdsPerExample, so this ends soon.
        layout = { ...layout, maxExamples: layout.maxExamples * 2, groups: layout.groups.map((g) => ({ ...g, maxIds: g.maxIds * 4 })) };
        continue;
      }
      parts.push({ block, start, bad: result[R.bad] as number, lines: result[R.lines] as number });
      start += consumed;
    }
    return { raw, parts };
  }
}
