/**
 * The computing interface of the engine: batch-level operations over typed arrays. Implementations: `reference/` (plain TypeScript,
 * the specification) and `native/` (C++ addon). Both pass test/contract/kernels.
 *
 * Conventions. Matrices are row-major float32. `ldx` is the distance in elements between rows of x (≥ its number of columns).
 * `accumulate` true adds to the output instead of overwriting it. No call allocates, keeps a reference to an argument, or blocks.
 * Arguments are views whose element 0 is the first element used. Shapes are checked at the door: too short a view throws ShapeMismatch
 * (native: TypeError/RangeError turned into ShapeMismatch by the wrapper is fine), so a wrong call never crashes.
 * Letters: m examples (rows), n columns, k inner dimension, f features (fields), d embedding dimension.
 * Sums run in a fixed order: the same call on the same machine and instruction set gives the same bits, wherever the buffers lie.
 */

import type { FidTable, TableOptions } from './fid-table.js';
import type { FrozenRows } from './frozen-rows.js';
import type { OptimizerKind } from './optimizer-kind.js';

export * from './fid-table.js';
export * from './frozen-rows.js';
export * from './optimizer-kind.js';

/** Activation fused into a GEMM epilogue or applied on its own. Derivatives are taken from the output y. */
export const Activation = { none: 0, relu: 1, sigmoid: 2, tanh: 3 } as const;
export type Activation = (typeof Activation)[keyof typeof Activation];

/**
 * Format of the operands of a matrix product. bf16: both are rounded to bfloat16 (8 significant bits, ties to even) when they are read, products
 * are added in float32, and everything that is stored stays float32. AVX512-BF16 takes denormals for zeros.
 */
export const Precision = { fp32: 0, bf16: 1 } as const;
export type Precision = (typeof Precision)[keyof typeof Precision];

/** How the rows of one bag become one vector. An empty bag gives zeros. sqrtn divides the sum by √(number of ids). */
export const Combiner = { sum: 0, mean: 1, sqrtn: 2 } as const;
export type Combiner = (typeof Combiner)[keyof typeof Combiner];

/** One of those who keep a table. */
export interface TableHolder {
  /** Lets go; the last one frees it. Twice is fine. */
  release(): void;
}

/** What a kernel backend does; every method has a reference twin. */
export interface KernelBackend {
  readonly name: 'native' | 'reference';
  /** For the banner: 'avx512-bf16' | 'avx512' | 'avx2' | 'neon' | 'scalar' | 'javascript'. */
  readonly instructionSet: string;

  /**
   * C[m,n] = activation(op(A)[m,k] · op(B)[k,n] + bias[n]); with accumulate C += op(A)·op(B) (bias null and activation none then).
   * op(X) = X or Xᵀ: transA means A is stored [k, m] with row distance lda; transB means B is stored [n, k].
   */
  gemm(
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    a: Float32Array,
    lda: number,
    b: Float32Array,
    ldb: number,
    c: Float32Array,
    ldc: number,
    accumulate: boolean,
    bias: Float32Array | null,
    activation: Activation,
  ): void;

  /** Floats that {@link packWeights} fills for op(B) [k, n], an allowance for alignment included. */
  packedWeightsLength(precision: Precision, n: number, k: number): number;
  /**
   * Copies op(B) [k, n] into the order and precision in which {@link gemmPacked} reads it; transposed means B is stored [n, k]. What `packed`
   * holds is known to the same backend, n, k and precision alone, and must stay where it is: no copy of it means anything.
   */
  packWeights(precision: Precision, transposed: boolean, n: number, k: number, b: Float32Array, ldb: number, packed: Float32Array): void;
  /**
   * C[m,n] = activation(A[m,k] · B[k,n] + bias[n]) with B packed; with accumulate C += A·B. With `slope` not none, C is then multiplied by
   * that activation's derivative, taken from its output y [m,n] (bias null and activation none in both cases): the gradient before an
   * activation. y is not read when slope is none.
   */
  gemmPacked(
    precision: Precision,
    m: number,
    n: number,
    k: number,
    a: Float32Array,
    lda: number,
    packed: Float32Array,
    c: Float32Array,
    ldc: number,
    accumulate: boolean,
    bias: Float32Array | null,
    activation: Activation,
    slope: Activation,
    y: Float32Array | null,
    ldy: number,
  ): void;
  /** dWeight[inputs, units] += x[rows, inputs]ᵀ · dZ[rows, units]; dBias[units] += Σ_rows dZ in float32, unless null. */
  weightGradient(
    precision: Precision,
    rows: number,
    inputs: number,
    units: number,
    x: Float32Array,
    ldx: number,
    dZ: Float32Array,
    lddZ: number,
    dWeight: Float32Array,
    dBias: Float32Array | null,
  ): void;

  /** y = activation(x), element-wise over n values; x and y may be the same view. */
  activationForward(activation: Activation, n: number, x: Float32Array, y: Float32Array): void;
  /** dX (+)= dY · activation′, the derivative from the output y; dX may be dY when not accumulating. */
  activationBackward(activation: Activation, n: number, y: Float32Array, dY: Float32Array, dX: Float32Array, accumulate: boolean): void;
  /** out[n] (+)= Σ_rows x[m, n]: a bias gradient. */
  columnSum(m: number, n: number, x: Float32Array, ldx: number, out: Float32Array, accumulate: boolean): void;
  /** dst[m, n] (+)= src[m, n] with row distances: concatenation, slicing and their backward. */
  copyColumns(m: number, n: number, src: Float32Array, ldsrc: number, dst: Float32Array, lddst: number, accumulate: boolean): void;
  /** y += alpha · x over n values. */
  axpy(n: number, alpha: number, x: Float32Array, y: Float32Array): void;
  /** x *= alpha over n values. */
  scale(n: number, alpha: number, x: Float32Array): void;
  /** out (+)= a ⊙ b over n values. */
  multiply(n: number, a: Float32Array, b: Float32Array, out: Float32Array, accumulate: boolean): void;
  /** Σ x² in double over n values, summed in blocks of 4096 in order (the same result however callers split work at multiples of 4096). */
  sumSquares(n: number, x: Float32Array): number;
  /** Index of the first NaN or infinity in n values, −1 if all are finite. */
  firstNonFinite(n: number, x: Float32Array): number;

  /** FM second-order term: out[m] = ½ Σ_d ((Σ_f e)² − Σ_f e²); e [m, f·d] with row distance lde; sums [m, d] keeps Σ_f e for backward. */
  fmForward(m: number, f: number, d: number, e: Float32Array, lde: number, sums: Float32Array, out: Float32Array): void;
  /** dE[m, f·d] (+)= dOut[m] · (Σ_f e − e). */
  fmBackward(
    m: number,
    f: number,
    d: number,
    e: Float32Array,
    lde: number,
    sums: Float32Array,
    dOut: Float32Array,
    dE: Float32Array,
    lddE: number,
    accumulate: boolean,
  ): void;

  /** DLRM pairwise dots: x [m, v·d]; out[m, v(v−1)/2] with row distance ldout = x_i·x_j for i > j in order (1,0) (2,0) (2,1) … */
  dotForward(m: number, v: number, d: number, x: Float32Array, ldx: number, out: Float32Array, ldout: number): void;
  /** dX[m, v·d] (+)= Σ over pairs. */
  dotBackward(
    m: number,
    v: number,
    d: number,
    x: Float32Array,
    ldx: number,
    dOut: Float32Array,
    lddOut: number,
    dX: Float32Array,
    lddX: number,
    accumulate: boolean,
  ): void;

  /** DCN v1 layer: s[m] = x·w; y = x0·s + bias + x, all [m, n] contiguous. */
  crossV1Forward(
    m: number,
    n: number,
    x0: Float32Array,
    x: Float32Array,
    w: Float32Array,
    bias: Float32Array,
    s: Float32Array,
    y: Float32Array,
  ): void;
  /** dX0 += dY·s; dX += dY + (dY·x0) w; dW += Σ (dY·x0) x; dBias += Σ dY. All four accumulate. */
  crossV1Backward(
    m: number,
    n: number,
    x0: Float32Array,
    x: Float32Array,
    w: Float32Array,
    s: Float32Array,
    dY: Float32Array,
    dX0: Float32Array,
    dX: Float32Array,
    dW: Float32Array,
    dBias: Float32Array,
  ): void;
  /** DCN v2 combination after u = xW + b: y = x0 ⊙ u + x over n values. */
  crossV2Forward(n: number, x0: Float32Array, u: Float32Array, x: Float32Array, y: Float32Array): void;
  /** dU = dY ⊙ x0 (overwrites); dX0 += dY ⊙ u; dX += dY. */
  crossV2Backward(
    n: number,
    x0: Float32Array,
    u: Float32Array,
    dY: Float32Array,
    dU: Float32Array,
    dX0: Float32Array,
    dX: Float32Array,
  ): void;

  /** CIN: out[r, i·q + j] = a[r, i] · b[r, j]; a [m, p], b [m, q], out [m, p·q] contiguous. */
  outerForward(m: number, p: number, q: number, a: Float32Array, b: Float32Array, out: Float32Array): void;
  /** dA[r, i] += Σ_j dOut·b; dB[r, j] += Σ_i dOut·a. */
  outerBackward(
    m: number,
    p: number,
    q: number,
    a: Float32Array,
    b: Float32Array,
    dOut: Float32Array,
    dA: Float32Array,
    dB: Float32Array,
  ): void;
  /** Per example transpose: out[r, j, i] (+)= x[r, i, j]; x [m, p·q], out [m, q·p] contiguous. */
  transposeInner(m: number, p: number, q: number, x: Float32Array, out: Float32Array, accumulate: boolean): void;

  /** FFM: e [m, f, f, d] (e[r, i, j] = vector of feature i used against field j); out[m] = Σ_{i<j} e[i,j]·e[j,i]. */
  ffmForward(m: number, f: number, d: number, e: Float32Array, out: Float32Array): void;
  /** dE (+)= backward of ffmForward (diagonal e[i,i] gets 0). */
  ffmBackward(m: number, f: number, d: number, e: Float32Array, dOut: Float32Array, dE: Float32Array, accumulate: boolean): void;

  /** Column means and biased variances of x [m, n] into mean[n] and variance[n] (double accumulation). */
  columnMoments(m: number, n: number, x: Float32Array, mean: Float32Array, variance: Float32Array): void;
  /** y = (x − mean)·inverseStd·gamma + beta by column; xHat[m,n] receives the normalised value for backward. */
  batchNormForward(
    m: number,
    n: number,
    x: Float32Array,
    mean: Float32Array,
    inverseStd: Float32Array,
    gamma: Float32Array,
    beta: Float32Array,
    xHat: Float32Array,
    y: Float32Array,
  ): void;
  /** Training-mode backward: dGamma += Σ dY·xHat; dBeta += Σ dY; dX (+)= gamma·inverseStd/m · (m·dY − Σ dY − xHat·Σ(dY·xHat)). */
  batchNormBackward(
    m: number,
    n: number,
    xHat: Float32Array,
    inverseStd: Float32Array,
    gamma: Float32Array,
    dY: Float32Array,
    dX: Float32Array,
    accumulate: boolean,
    dGamma: Float32Array,
    dBeta: Float32Array,
  ): void;

  /**
   * Inverted dropout mask over n values: mask[i] = 0 with probability rate else 1/(1−rate); a function of (seed, firstIndex + i) alone:
   * keep when the top 24 bits of mix64(seed + (firstIndex + i)·0x9E3779B97F4A7C15) ≥ rate·2²⁴. Seed: two unsigned 32-bit halves.
   */
  dropoutMask(n: number, rate: number, seedLow: number, seedHigh: number, firstIndex: number, mask: Float32Array): void;

  /**
   * Binary cross-entropy on logits, stable form max(z,0) − z·y + ln(1+e^{−|z|}). dLogits[i] = (σ(z)−y)·weight·gradientScale.
   * Returns Σ weight·loss in double, in order. weights null means 1.
   */
  bceWithLogits(
    m: number,
    logits: Float32Array,
    labels: Float32Array,
    weights: Float32Array | null,
    gradientScale: number,
    dLogits: Float32Array,
  ): number;
  /** Squared error ½(z − y)²: dLogits = (z−y)·weight·gradientScale; returns Σ weight·½(z−y)². */
  mseLoss(
    m: number,
    predictions: Float32Array,
    labels: Float32Array,
    weights: Float32Array | null,
    gradientScale: number,
    dPredictions: Float32Array,
  ): number;

  /** One step of a dense tensor of n values (one row). `state` as in {@link OptimizerKind}; hyper float64. */
  optimizerStep(
    kind: OptimizerKind,
    n: number,
    w: Float32Array,
    grad: Float32Array,
    state: Float32Array,
    learningRate: number,
    hyper: Float64Array,
  ): void;

  /**
   * Distinct fids of fids[0, nnz), grouped by shard = floorMod(fid, numShards) as signed 64-bit, within a shard in order of first occurrence.
   * unique[0, N); inverse[i] = position of fids[i] in unique; shardOffsets[numShards + 1]. scratch: Int32Array of dedupeScratchLength(nnz).
   * Returns N. Cost: one pass over nnz and one to clear the table.
   */
  dedupe(
    fids: BigInt64Array,
    nnz: number,
    numShards: number,
    unique: BigInt64Array,
    inverse: Int32Array,
    shardOffsets: Int32Array,
    scratch: Int32Array,
  ): number;
  /** Length of the scratch that dedupe wants for up to nnz ids; the caller keeps it from call to call, whatever it holds. */
  dedupeScratchLength(nnz: number): number;

  /**
   * Pools bags into columns: for example r in [0, m) and feature j in [0, f): bag = bagOffsets[(firstExample + r)·f + j … +1];
   * out[r, outColumns[j] … + d) = combine over ids i of the bag of values[i]·rows[inverse[i]·rowStride + sliceOffset … + d).
   * values null means 1. combiners[j] as in {@link Combiner}. outColumns[j] < 0 leaves feature j out. Overwrites those columns.
   */
  embeddingPool(
    m: number,
    f: number,
    d: number,
    firstExample: number,
    bagOffsets: Int32Array,
    inverse: Int32Array,
    values: Float32Array | null,
    rows: Float32Array,
    rowStride: number,
    sliceOffset: number,
    combiners: Uint8Array,
    outColumns: Int32Array,
    out: Float32Array,
    ldout: number,
  ): void;
  /** Adds gradients back: dRows[inverse[i]·rowStride + sliceOffset …] += factor·dOut[r, outColumns[j] …], in order of examples, features, ids. */
  embeddingPoolBackward(
    m: number,
    f: number,
    d: number,
    firstExample: number,
    bagOffsets: Int32Array,
    inverse: Int32Array,
    values: Float32Array | null,
    dRows: Float32Array,
    rowStride: number,
    sliceOffset: number,
    combiners: Uint8Array,
    outColumns: Int32Array,
    dOut: Float32Array,
    lddOut: number,
  ): void;

  /** A new table. */
  createTable(options: TableOptions): FidTable;
  /** The table of this {@link FidTable.shareId}, which another thread holds. Throws InvalidArgument when there is none, or none can be shared. */
  attachTable(id: number): FidTable;

  /**
   * Keeps the table of this {@link FidTable.shareId} from being freed, whatever becomes of the thread that made it. Throws InvalidArgument when
   * there is none, or none can be shared.
   */
  holdTable(id: number): TableHolder;
  /**
   * The frozen rows of tables of these {@link FidTable.shareId}s, shards of one table, in any thread of the process: see {@link FidTable.freeze}. Throws
   * InvalidArgument when one of them has none, or can't be shared.
   */
  openFrozen(ids: readonly number[]): FrozenRows;
  /** CRC-32C of bytes. */
  crc32c(bytes: Uint8Array): number;
}
