import type { FidTable } from '../../kernels/index.js';
import type { DeltaTable } from '../../proto/index.js';

/** Rows whose bucket this many bits choose are pushed together when a whole table must go. */
const BUCKET_BITS = 8;

/**
 * What one target has not yet been told, for all tables: ids, oldest change first, up to a limit a table. When there are more, the table is marked
 * to be sent whole instead, so that memory is bounded and nothing is lost.
 */
export class PendingRows {
  readonly #ids = new Map<string, Set<bigint>>();
  /** Table → next bucket to send of all its rows. */
  readonly #whole = new Map<string, number>();

  constructor(private readonly maxIds: number) {}

  /** Ids that wait, over all tables; tables that go whole not counted. */
  get ids(): number {
    let count = 0;
    for (const ids of this.#ids.values()) count += ids.size;
    return count;
  }

  get empty(): boolean {
    return this.#whole.size === 0 && this.ids === 0;
  }

  add(table: string, fids: BigInt64Array, changed: Uint8Array): void {
    let ids = this.#ids.get(table);
    if (ids === undefined) {
      ids = new Set();
      this.#ids.set(table, ids);
    }
    for (let i = 0; i < fids.length; i++) if (changed[i] === 1) ids.add(fids[i]);
    if (ids.size <= this.maxIds) return;
    this.#whole.set(table, 0);
    ids.clear();
  }

  /** Up to `most` rows of one table with their values now, and how to take them off once they have arrived; null: nothing waits. */
  next(most: number, find: (table: string) => FidTable | undefined): { readonly delta: DeltaTable; readonly taken: () => void } | null {
    for (const [name, bucket] of this.#whole) {
      const table = find(name);
      if (table === undefined || bucket >= 1 << BUCKET_BITS) {
        this.#whole.delete(name);
        continue;
      }
      const fids = new BigInt64Array(table.countBucket(BUCKET_BITS, bucket));
      const taken = (): void => {
        if (this.#whole.get(name) === bucket) this.#whole.set(name, bucket + 1);
      };
      if (fids.length === 0) {
        taken();
        return this.next(most, find);
      }
      const record = table.dim + table.stateLength;
      const records = new Float32Array(fids.length * record);
      table.dump(BUCKET_BITS, bucket, fids, new Uint32Array(fids.length), records);
      const embeddings = new Float32Array(fids.length * table.dim);
      for (let i = 0; i < fids.length; i++) embeddings.set(records.subarray(i * record, i * record + table.dim), i * table.dim);
      return { delta: { uniqueId: name, dimSize: table.dim, fids, embeddings }, taken };
    }
    for (const [name, ids] of this.#ids) {
      const table = find(name);
      if (ids.size === 0 || table === undefined) continue;
      const fids = new BigInt64Array(Math.min(most, ids.size));
      let count = 0;
      for (const fid of ids) {
        if (count === fids.length) break;
        fids[count++] = fid;
      }
      // Taken off now: a change during the push puts an id back, so that its newer value goes too. A failed push puts all back.
      for (const fid of fids) ids.delete(fid);
      const rows = new Float32Array(fids.length * table.dim);
      const handles = new Int32Array(fids.length);
      table.lookup(fids, 0, fids.length, false, 0, rows, handles);
      this.#inFlight.set(name, fids);
      return { delta: existing(name, table.dim, fids, rows, handles), taken: () => this.#inFlight.delete(name) };
    }
    return null;
  }

  readonly #inFlight = new Map<string, BigInt64Array>();

  /** The push failed: what it held waits again. */
  restore(): void {
    for (const [name, fids] of this.#inFlight) this.add(name, fids, new Uint8Array(fids.length).fill(1));
    this.#inFlight.clear();
  }
}

function existing(uniqueId: string, dim: number, fids: BigInt64Array, rows: Float32Array, handles: Int32Array): DeltaTable {
  if (!handles.includes(-1)) return { uniqueId, dimSize: dim, fids, embeddings: rows };
  const kept = [...handles.keys()].filter((i) => handles[i] >= 0);
  const embeddings = new Float32Array(kept.length * dim);
  kept.forEach((from, to) => {
    embeddings.set(rows.subarray(from * dim, (from + 1) * dim), to * dim);
  });
  return { uniqueId, dimSize: dim, fids: BigInt64Array.from(kept, (i) => fids[i]), embeddings };
}
