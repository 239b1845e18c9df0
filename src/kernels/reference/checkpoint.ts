import { crc32c, MonolithError } from '../../base/index.js';
import type { FrozenFigures, FrozenRows } from '../frozen-rows.js';
import type { KernelBackend } from '../kernel-backend.js';

/** The part of a backend that serves checkpoints. */
export type CheckpointKernels = Pick<KernelBackend, 'holdTable' | 'openFrozen' | 'crc32c'>;

/** A row that was frozen. */
export type FrozenRow = { readonly fid: bigint; readonly hash: number; readonly timestamp: number; readonly record: Float32Array };

/** The plain twin of native frozen rows: copies of all of them, made at once. */
export class ReferenceFrozenRows implements FrozenRows {
  #found: FrozenRow[] = [];
  #rows: readonly FrozenRow[];
  #ended = false;

  constructor(
    readonly dim: number,
    readonly stateLength: number,
    readonly size: number,
    rows: readonly FrozenRow[],
  ) {
    this.#rows = rows;
  }

  get count(): number {
    return this.#rows.length;
  }

  get ended(): boolean {
    return this.#ended;
  }

  collect(bucketBits: number, bucket: number): number {
    this.#found = this.#rows.filter(({ hash }) => bucketBits === 0 || hash >>> (32 - bucketBits) === bucket);
    this.#found.sort((a, b) => (BigInt.asUintN(64, a.fid) < BigInt.asUintN(64, b.fid) ? -1 : 1));
    return this.#found.length;
  }

  read(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number {
    const width = this.dim + this.stateLength;
    const found = this.#found;
    this.#found = [];
    found.forEach(({ fid, timestamp, record }, i) => {
      fids[i] = fid;
      timestamps[i] = timestamp;
      records.set(record, i * width);
    });
    return records.subarray(0, found.length * width).findIndex((value) => !Number.isFinite(value));
  }

  figures(): FrozenFigures {
    return { copies: this.count, bytes: this.count * (this.dim + this.stateLength) * 4, alone: true };
  }

  end(): void {
    this.#ended = true;
  }

  release(): void {
    this.end();
    this.#rows = [];
    this.#found = [];
  }
}

/** The checkpoint kernels in plain TypeScript. */
export const referenceCheckpoint: CheckpointKernels = {
  holdTable(id): never {
    throw new MonolithError(
      'InvalidArgument',
      `holdTable: table ${id} can't be shared: the reference backend keeps tables to their threads`,
    );
  },
  openFrozen(ids): never {
    throw new MonolithError(
      'InvalidArgument',
      `openFrozen: tables ${ids.join(', ')} can't be shared: the reference backend keeps tables to their threads`,
      { ids: [...ids] },
    );
  },
  crc32c: (bytes) => crc32c(bytes),
};
