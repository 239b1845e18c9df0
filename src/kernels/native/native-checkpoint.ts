import { MonolithError } from '../../base/index.js';
import type { FrozenFigures, FrozenRows } from '../frozen-rows.js';
import type { TableHolder } from '../kernel-backend.js';
import type { CheckpointKernels } from '../reference/checkpoint.js';
import { checkBucket } from '../reference/table-options.js';
import type { Addon } from './load.js';
import { typedError } from './native-sparse-errors.js';

type ReaderHandle = { readonly __frozen: never };
type TableHandle = { readonly __table: never };

/** The functions of native/addon/table_frozen_binding.cc, holders of native/addon/table_binding.cc, the checksum of native/addon/parsers_binding.cc. */
type FrozenAddon = {
  frozenOpen(ids: Float64Array): ReaderHandle;
  /** Writes dim, stateLength, rows, rows to read, copies, bytes, alone. */
  frozenDescribe(reader: ReaderHandle, out: Float64Array): void;
  frozenCollect(reader: ReaderHandle, bucketBits: number, bucket: number): number;
  frozenRead(reader: ReaderHandle, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number;
  frozenEnd(reader: ReaderHandle): void;
  frozenRelease(reader: ReaderHandle): void;
  tableAttach(id: number): TableHandle;
  tableRelease(table: TableHandle): void;
  checksum(bytes: Uint8Array, start: number, length: number): number;
};

class NativeFrozenRows implements FrozenRows {
  readonly dim: number;
  readonly stateLength: number;
  readonly size: number;
  readonly count: number;
  readonly #addon: FrozenAddon;
  readonly #reader: ReaderHandle;

  constructor(addon: FrozenAddon, ids: Float64Array) {
    this.#addon = addon;
    try {
      this.#reader = addon.frozenOpen(ids);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new MonolithError('InvalidArgument', `openFrozen: ${text}`, { ids: [...ids] }, { cause: error });
    }
    [this.dim, this.stateLength, this.size, this.count] = this.#describe();
  }

  collect(bucketBits: number, bucket: number): number {
    checkBucket('collect', bucketBits, bucket);
    try {
      return this.#addon.frozenCollect(this.#reader, bucketBits, bucket);
    } catch (error) {
      throw typedError('collect', error);
    }
  }

  read(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number {
    try {
      return this.#addon.frozenRead(this.#reader, fids, timestamps, records);
    } catch (error) {
      throw typedError('read', error);
    }
  }

  figures(): FrozenFigures {
    const [, , , , copies, bytes, alone] = this.#describe();
    return { copies, bytes, alone: alone === 1 };
  }

  end(): void {
    this.#addon.frozenEnd(this.#reader);
  }

  release(): void {
    this.#addon.frozenRelease(this.#reader);
  }

  #describe(): Float64Array {
    const words = new Float64Array(7);
    this.#addon.frozenDescribe(this.#reader, words);
    return words;
  }
}

function holdTable(addon: FrozenAddon, id: number): TableHolder {
  let table: TableHandle | null;
  try {
    table = addon.tableAttach(id);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new MonolithError('InvalidArgument', `holdTable: ${text}`, { id }, { cause: error });
  }
  return {
    release: () => {
      if (table !== null) addon.tableRelease(table);
      table = null;
    },
  };
}

/** The native twins of reference/checkpoint. */
export function createNativeCheckpoint(addon: Addon): CheckpointKernels {
  const native = addon as unknown as FrozenAddon;
  return {
    holdTable: (id) => holdTable(native, id),
    openFrozen: (ids) => new NativeFrozenRows(native, Float64Array.from(ids)),
    crc32c: (bytes) => native.checksum(bytes, 0, bytes.length),
  };
}
