/** Figures of {@link FrozenRows}. */
export type FrozenFigures = {
  /** Rows that were copied because they changed before they were read. */
  readonly copies: number;
  /** Bytes held: copies, and what is kept to find them. */
  readonly bytes: number;
  /** No table holds them any more: {@link FrozenRows.release} frees them. */
  readonly alone: boolean;
};

/**
 * Rows of one table, of all its shards, as they were when {@link FidTable.freeze} was called. They are read here while the tables go on changing, in
 * another thread too, and nobody waits for anybody. Each row can be read once. Always {@link FrozenRows.release} it.
 */
export interface FrozenRows {
  readonly dim: number;
  readonly stateLength: number;
  /** Rows that there were. */
  readonly size: number;
  /** Rows that are to be read: all, or those that had changed. */
  readonly count: number;
  /** Finds the rows of one bucket, as {@link FidTable.countBucket} has them; returns their number. */
  collect(bucketBits: number, bucket: number): number;
  /**
   * Reads the rows that {@link collect} found, in ascending order of unsigned fid: fids, last uses, whole records (dim + stateLength float32 each).
   * Returns the index in records of the first value that is not finite; −1: all are. A second call reads none.
   */
  read(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number;
  figures(): FrozenFigures;
  /** No more will be read: tables need not keep copies from now on. */
  end(): void;
  /** Ends, and gives the memory back; tables that have not noticed yet give it back when they are next used. Twice is fine. */
  release(): void;
}
