// Parsed blocks in file order, several parses in flight.
import { PrefetchQueue } from '../queues/index.js';
import type { BatchLayout } from '../tensor/index.js';
import type { DataCache } from './cache.js';
import type { CachePart, CacheWriter } from './cache-file.js';
import type { CacheEntry } from './cache-format.js';
import { UnpackResult } from './native-parsers.js';
import type { ParsePool } from './parse-pool.js';
import { ParsedBlock, packedBound } from './parsed-block.js';
import { R } from './program.js';
import { type RawBlock, type RawReader, readAgain } from './raw-reader.js';

/** What one parse call made of a part of a raw block. */
export type ParsedPart = {
  readonly block: ParsedBlock;
  /** Byte in the raw block where the part starts. */
  readonly start: number;
  readonly bad: number;
  readonly lines: number;
  /** What its first bad records hold, where the raw block's bytes do not say it. */
  readonly quotes: readonly string[] | null;
};

export type ParsedRaw = {
  readonly raw: RawBlock;
  readonly parts: readonly ParsedPart[];
  /** The block in the form of a cache, where one is being written. */
  readonly sealed: readonly CachePart[];
};

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
  /** Parses that have begun: one for each thread and one that waits for a thread. */
  private readonly inFlight: PrefetchQueue<Promise<ParsedRaw | null>>;
  private reading: Promise<unknown> = Promise.resolve();
  private ended = false;
  private closed = false;
  /** The cache of the file that the last block came from, while it is being written. */
  private recording: CacheWriter | null = null;

  constructor(
    private readonly reader: RawReader,
    private readonly pool: ParsePool,
    private readonly store: BlockStore,
    private readonly layoutFor: (raw: RawBlock) => BatchLayout,
    private readonly caches: DataCache | null,
  ) {
    this.inFlight = new PrefetchQueue(pool.threads + 1);
  }

  /** The next raw block's parts, in file order; null at the end. */
  async next(): Promise<ParsedRaw | null> {
    if (this.ended) return null;
    while (this.inFlight.size < this.inFlight.capacity) this.inFlight.tryEnqueue(this.start());
    const result = (await this.inFlight.tryDequeue()) ?? null;
    if (result === null) this.ended = true;
    await this.record(result);
    return result;
  }

  /** Puts a block into its file's cache; the cache of the file before is whole then. */
  private async record(result: ParsedRaw | null): Promise<void> {
    const recorder = result?.raw.recorder ?? null;
    if (this.recording !== null && this.recording !== recorder) {
      if (this.closed) await this.recording.discard();
      else await this.recording.commit();
    }
    this.recording = recorder;
    if (result !== null) await recorder?.append(result.sealed);
  }

  releaseRaw(raw: RawBlock): void {
    this.reader.release(raw);
  }

  async close(): Promise<void> {
    this.ended = true;
    this.closed = true;
    // Closing the reader first ends a read that waits for input.
    await this.reader.close();
    const begun: Promise<ParsedRaw | null>[] = [];
    for (let parse = this.inFlight.tryDequeue(); parse !== undefined; parse = this.inFlight.tryDequeue()) begun.push(parse);
    const left = await Promise.allSettled(begun);
    await this.recording?.discard();
    this.recording = null;
    // Caches of files that nobody came to take a block of.
    for (const result of left) if (result.status === 'fulfilled') await result.value?.raw.recorder?.discard();
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
    const { cached } = raw;
    if (cached !== null) {
      const parts = await this.fromCache(raw, cached.entries);
      if (parts !== null) return { raw, parts, sealed: [] };
      await this.caches?.damaged(cached.reader);
      const again = await readAgain(raw);
      this.reader.release(raw);
      return { raw: again, parts: await this.parseBytes(again), sealed: [] };
    }
    const parts = await this.parseBytes(raw);
    return { raw, parts, sealed: raw.recorder?.active === true ? await this.seal(raw, parts) : [] };
  }

  private async parseBytes(raw: RawBlock): Promise<ParsedPart[]> {
    const parts: ParsedPart[] = [];
    const place = { path: raw.file.description.info.path, byteOffset: raw.byteOffset };
    let layout = this.layoutFor(raw);
    let start = 0;
    while (start < raw.extent) {
      const block = this.store.acquire(layout);
      const { common, shape, buffer } = block;
      const { program } = raw.file;
      const length = raw.extent - start;
      const { words: result, quotes } = await this.pool.parse({
        program,
        raw: raw.buffer,
        start,
        length,
        common,
        shape,
        block: buffer,
        place,
      });
      const consumed = result[R.consumed] as number;
      if (consumed === 0 && result[R.full] === 1) {
        // One record alone is larger than the block: its ids are bounded by maxIdsPerExample, so this ends soon.
        layout = { ...layout, maxExamples: layout.maxExamples * 2, groups: layout.groups.map((g) => ({ ...g, maxIds: g.maxIds * 4 })) };
        continue;
      }
      parts.push({ block, start, bad: result[R.bad] as number, lines: result[R.lines] as number, quotes });
      start += consumed;
    }
    return parts;
  }

  /** The parts of a block out of its cache; null where they are damaged. */
  private async fromCache(raw: RawBlock, entries: readonly CacheEntry[]): Promise<ParsedPart[] | null> {
    const [first] = entries;
    if (!first.packed) {
      const sum = await this.pool.checksum({ bytes: raw.buffer, length: first.storedLength });
      return sum === first.checksum ? this.parseBytes(raw) : null;
    }
    const layout = this.layoutFor(raw);
    const parts: ParsedPart[] = [];
    for (const { storedAt, storedLength, checksum, start, lines, examples, ids } of entries) {
      const groups = layout.groups.map((group, g) => ({ ...group, maxIds: Math.max(group.maxIds, ids[g]) }));
      const block = this.store.acquire({ ...layout, maxExamples: Math.max(layout.maxExamples, examples), groups });
      const { common, shape, buffer } = block;
      const where = { packed: raw.buffer, start: storedAt - first.storedAt, length: storedLength, checksum };
      const result = await this.pool.unpack({ ...where, common, shape, block: buffer });
      parts.push({ block, start, bad: 0, lines, quotes: null });
      if (result === UnpackResult.good) continue;
      for (const part of parts) this.store.release(part.block);
      return null;
    }
    return parts;
  }

  /** A block in the form of a cache: packed, or as it is where records are bad, since their errors quote them. */
  private async seal(raw: RawBlock, parts: readonly ParsedPart[]): Promise<CachePart[]> {
    const { byteOffset, length: rawLength, lastOfFile } = raw;
    const place = { byteOffset, rawLength, lastOfFile };
    if (parts.length === 0 || parts.some((part) => part.bad > 0)) {
      const checksum = await this.pool.checksum({ bytes: raw.buffer, length: raw.stored });
      const ids = this.layoutFor(raw).groups.map(() => 0);
      const bytes = raw.bytes.subarray(0, raw.stored);
      const stored = { packed: false, lastOfBlock: true, storedLength: raw.stored, checksum, ids, bytes };
      return [{ ...place, ...stored, start: 0, lines: 0, examples: 0 }];
    }
    const sealed: CachePart[] = [];
    for (const { block, start, lines } of parts) {
      const { common, shape, buffer, slot, numExamples: examples } = block;
      const out = new SharedArrayBuffer(packedBound(block));
      const [storedLength, checksum] = await this.pool.pack({ common, shape, block: buffer, out });
      const ids = slot.groups.map((_, g) => slot.numIds(g));
      const bytes = new Uint8Array(out, 0, storedLength);
      const lastOfBlock = sealed.length === parts.length - 1;
      sealed.push({ ...place, packed: true, lastOfBlock, start, lines, examples, storedLength, checksum, ids, bytes });
    }
    return sealed;
  }
}
