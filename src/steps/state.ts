/** Rows of one table and bucket of one shard, in ascending order of unsigned fid. */
export type TableRows = {
  readonly count: number;
  readonly fids: BigInt64Array;
  readonly timestamps: Uint32Array;
  /** [count, dim + stateLength] */
  readonly records: Float32Array;
};

/** A state that stays as it is while training goes on; plain data that another thread can write a checkpoint from. */
export type FrozenState = {
  /** Copies, in shared memory. */
  readonly parameters: Float32Array;
  readonly denseState: Float32Array;
  /** [table][shard] numbers of the tables whose rows are frozen; see KernelBackend.openFrozen. */
  readonly tables: readonly (readonly number[])[];
};
