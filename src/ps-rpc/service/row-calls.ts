import { failpoint, MonolithError, monotonicMs } from '../../base/index.js';
import type { KernelBackend } from '../../kernels/index.js';
import type { ApplyGradientsRequest, ApplyGradientsResponse, LookupRequest, LookupResponse } from '../../proto/index.js';
import { checkDim, checkIdCount, checkName, type PsLimits } from './limits.js';
import type { ServedTable, ServedTables } from './served-tables.js';

/** Told of rows that were made or updated: ids at whose position `changed` is 1. */
export type ChangeListener = (table: string, fids: BigInt64Array, changed: Uint8Array) => void;

/**
 * Lookups and applies on one shard's tables. Requests may repeat an id (ours never do): each position is answered, gradients are summed.
 * Errors are thrown; nothing is changed by a call that throws.
 */
export class RowCalls {
  #scratch = new Int32Array(0);

  constructor(
    private readonly backend: KernelBackend,
    private readonly tables: ServedTables,
    private readonly limits: PsLimits,
    private readonly defaultDim: number,
    /** Bytes that an answer may have; −1: any. */
    private readonly messageBytes: number,
    private readonly rateScale: (step: number) => number,
    private readonly changed: ChangeListener | null,
  ) {}

  /**
   * @param deadlineMs monotonicMs() after which nothing is done any more.
   * Throws DimensionMismatch, TableFull, ResourceExhausted, FailedPrecondition, InvalidArgument, DeadlineExceeded.
   */
  lookup(request: LookupRequest, deadlineMs: number): LookupResponse {
    failpoint('ps.service.beforeLookup');
    const { tableName, fids, dimSize, createIfMissing } = request;
    checkIdCount(fids.length, this.limits);
    checkName('table', tableName, this.limits);
    checkDeadline('lookup', deadlineMs);
    const known = this.tables.find(tableName);
    const dim = known?.table.dim ?? (dimSize > 0 ? dimSize : this.defaultDim);
    if (dimSize > 0 && dimSize !== dim) throw dimensionMismatch(dim, dimSize, `lookup in table "${tableName}"`);
    this.#checkReply(fids.length, dim);
    if (known === undefined && !createIfMissing) {
      checkDim(tableName, dim, this.limits);
      return answer(new Float32Array(fids.length * dim), new Uint8Array(fids.length), 0, 0);
    }
    const { table } = known ?? this.tables.create(tableName, dim);
    const { unique, inverse } = this.#distinct(fids);
    const rows = new Float32Array(unique.length * dim);
    const handles = new Int32Array(unique.length);
    table.lookup(unique, 0, unique.length, false, 0, rows, handles);
    const missing = Uint8Array.from(handles, (handle) => (handle < 0 ? 1 : 0));
    const created = createIfMissing && missing.includes(1);
    if (created) {
      if (known?.readOnly !== undefined) throw readOnly(`lookup in table "${tableName}" would make rows`, known.readOnly);
      table.lookup(unique, 0, unique.length, true, 0, rows, handles);
      this.changed?.(tableName, unique, missing);
    }
    const found = new Uint8Array(fids.length);
    let numFound = 0;
    for (let i = 0; i < fids.length; i++) {
      found[i] = 1 - missing[inverse === null ? i : inverse[i]];
      numFound += found[i];
    }
    const embeddings = inverse === null ? rows : spread(rows, inverse, dim);
    return answer(embeddings, found, numFound, created ? fids.length - numFound : 0);
  }

  /**
   * One optimizer step on the rows that exist; never makes any.
   * Throws ShapeMismatch (in the words of the wire), DimensionMismatch, FailedPrecondition, ResourceExhausted, InvalidArgument, DeadlineExceeded.
   */
  apply(request: ApplyGradientsRequest, deadlineMs: number): ApplyGradientsResponse {
    failpoint('ps.service.beforeApply');
    const { tableName, fids, gradients, dimSize, learningRate, globalStep } = request;
    checkIdCount(fids.length, this.limits);
    checkName('table', tableName, this.limits);
    checkDeadline('apply', deadlineMs);
    const known = this.tables.find(tableName);
    const dim = dimSize > 0 ? dimSize : (known?.table.dim ?? this.defaultDim);
    if (gradients.length !== fids.length * dim) {
      const expected = fids.length * dim;
      throw new MonolithError('ShapeMismatch', `Gradient size mismatch: expected ${expected}, got ${gradients.length}`, {
        expected,
        actual: gradients.length,
      });
    }
    if (known !== undefined && dim !== known.table.dim) throw dimensionMismatch(known.table.dim, dim, `apply to table "${tableName}"`);
    if (known?.readOnly !== undefined) throw readOnly(`apply to table "${tableName}"`, known.readOnly);
    if (!Number.isFinite(learningRate) || learningRate < 0) {
      throw new MonolithError('InvalidArgument', `learning_rate must be finite and at least 0, got ${learningRate}`, { learningRate });
    }
    const bad = this.backend.firstNonFinite(gradients.length, gradients);
    if (bad >= 0) {
      throw new MonolithError(
        'InvalidArgument',
        `gradient ${bad} of the apply to table "${tableName}" is ${gradients[bad]}, expected a finite number`,
        {
          position: bad,
        },
      );
    }
    if (known === undefined) return { statusCode: 0, errorMessage: '', numUpdated: 0, numNotFound: fids.length };
    return this.#applyTo(known, tableName, fids, gradients, learningRate, globalStep);
  }

  #applyTo(
    { table, sliceRates }: ServedTable,
    tableName: string,
    fids: BigInt64Array,
    gradients: Float32Array,
    learningRate: number,
    globalStep: number,
  ): ApplyGradientsResponse {
    const { unique, inverse } = this.#distinct(fids);
    const summed = inverse === null ? gradients : sumByPosition(gradients, inverse, unique.length, table.dim);
    const handles = new Int32Array(unique.length);
    table.lookup(unique, 0, unique.length, false, 0, new Float32Array(unique.length * table.dim), handles);
    let numUpdated = 0;
    for (let i = 0; i < fids.length; i++) if (handles[inverse === null ? i : inverse[i]] >= 0) numUpdated++;
    if (numUpdated > 0) {
      table.apply(
        [handles],
        Int32Array.of(0),
        Int32Array.of(unique.length),
        [summed],
        this.#rates(sliceRates, learningRate, globalStep),
        0,
        [unique],
        globalStep,
      );
      this.changed?.(
        tableName,
        unique,
        Uint8Array.from(handles, (handle) => (handle < 0 ? 0 : 1)),
      );
    }
    return { statusCode: 0, errorMessage: '', numUpdated, numNotFound: fids.length - numUpdated };
  }

  /** A rate in the request counts for all slices; none (0) leaves a configured table its own, at the step's place in the schedule. */
  #rates(sliceRates: readonly number[] | null, learningRate: number, globalStep: number): Float32Array {
    if (sliceRates === null) return Float32Array.of(learningRate);
    if (learningRate > 0) return new Float32Array(sliceRates.length).fill(learningRate);
    const scale = this.rateScale(globalStep);
    return Float32Array.from(sliceRates, (rate) => rate * scale);
  }

  /** Distinct ids in order of first occurrence; inverse null when all are. */
  #distinct(fids: BigInt64Array): { readonly unique: BigInt64Array; readonly inverse: Int32Array | null } {
    const length = this.backend.dedupeScratchLength(fids.length);
    if (this.#scratch.length < length) this.#scratch = new Int32Array(length);
    const unique = new BigInt64Array(fids.length);
    const inverse = new Int32Array(fids.length);
    const count = this.backend.dedupe(fids, fids.length, 1, unique, inverse, new Int32Array(2), this.#scratch);
    return count === fids.length ? { unique: fids, inverse: null } : { unique: unique.subarray(0, count), inverse };
  }

  #checkReply(count: number, dim: number): void {
    const bytes = count * (dim * 4 + 1);
    if (this.messageBytes < 0 || bytes <= this.messageBytes) return;
    throw new MonolithError(
      'ResourceExhausted',
      `${count} rows of ${dim} floats take ${bytes} bytes; messages have at most ${this.messageBytes}`,
      {
        bytes,
        limit: this.messageBytes,
      },
    );
  }
}

function answer(embeddings: Float32Array, found: Uint8Array, numFound: number, numInitialized: number): LookupResponse {
  return { statusCode: 0, errorMessage: '', embeddings, found, numFound, numInitialized };
}

function dimensionMismatch(expected: number, actual: number, where: string): MonolithError {
  return new MonolithError('DimensionMismatch', `Dimension mismatch: expected ${expected}, got ${actual} (${where})`, { expected, actual });
}

function readOnly(what: string, why: string): MonolithError {
  return new MonolithError(
    'FailedPrecondition',
    `${what}: ${why}. Read existing rows (create_if_missing false), or use a table of your own`,
  );
}

function checkDeadline(what: string, deadlineMs: number): void {
  if (monotonicMs() <= deadlineMs) return;
  throw new MonolithError('DeadlineExceeded', `${what}: its time was over before it could run; nothing was done`);
}

function spread(rows: Float32Array, inverse: Int32Array, dim: number): Float32Array {
  const all = new Float32Array(inverse.length * dim);
  for (let i = 0; i < inverse.length; i++) for (let d = 0; d < dim; d++) all[i * dim + d] = rows[inverse[i] * dim + d];
  return all;
}

/** Gradients of equal ids added up in float32, in the order of the request. */
function sumByPosition(gradients: Float32Array, inverse: Int32Array, count: number, dim: number): Float32Array {
  const sums = new Float32Array(count * dim);
  for (let i = 0; i < inverse.length; i++) for (let d = 0; d < dim; d++) sums[inverse[i] * dim + d] += gradients[i * dim + d];
  return sums;
}
