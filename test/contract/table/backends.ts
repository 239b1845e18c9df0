import assert from 'node:assert/strict';
import { InitializerKind, OptimizerKind, type SliceLayout, type TableOptions } from '../../../src/kernels/index.js';
import { type Addon, loadAddon } from '../../../src/kernels/native/load.js';
import { createNativeSparse } from '../../../src/kernels/native/native-sparse.js';
import { referenceSparse, type SparseKernels } from '../../../src/kernels/reference/sparse.js';

export type Candidate = { readonly name: string; readonly kernels: SparseKernels };

/** The addon, or null with a message; null is a failure where MONOLITH_LOCAL_REQUIRE_NATIVE=1. */
export function nativeAddon(): Addon | null {
  const { addon, reason } = loadAddon();
  if (addon === null) {
    assert.notEqual(process.env.MONOLITH_LOCAL_REQUIRE_NATIVE, '1', `native addon required but not loaded: ${reason}`);
    process.stderr.write(`native table tests skipped: ${reason}\n`);
    return null;
  }
  const wanted = process.env.MONOLITH_LOCAL_ISA;
  if (wanted) assert.equal(addon.info().instructionSet, wanted);
  return addon;
}

/** The implementations that the suite runs on. */
export function candidates(): readonly Candidate[] {
  const addon = nativeAddon();
  const reference = { name: 'reference', kernels: referenceSparse };
  return addon === null ? [reference] : [reference, { name: `native ${addon.info().instructionSet}`, kernels: createNativeSparse(addon) }];
}

/** Small deterministic generator of unsigned 32-bit numbers. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
}

/** n floats in [−1, 1). */
export function randomFloats(n: number, next: () => number): Float32Array {
  return Float32Array.from({ length: n }, () => next() / 2147483648 - 1);
}

/** A fid of 64 random bits. */
export function randomFid(next: () => number): bigint {
  return BigInt.asIntN(64, (BigInt(next()) << 32n) | BigInt(next()));
}

export const uniform = { kind: InitializerKind.uniform, a: -0.05, b: 0.05 } as const;
export const adagrad = { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-10] } as const;

export function slice(dim: number, changes: Partial<SliceLayout> = {}): SliceLayout {
  return { dim, initializer: uniform, optimizer: adagrad, ...changes };
}

export function options(slices: readonly SliceLayout[], changes: Partial<TableOptions> = {}): TableOptions {
  return { slices, seedLow: 0x12345678, seedHigh: 0x9abcdef0, maxRows: 1 << 24, segmentRows: 1024, ...changes };
}

/** Bits of floats, so that NaN and the sign of zero count. */
export function bits(x: Float32Array): Uint32Array {
  return new Uint32Array(x.buffer, x.byteOffset, x.length);
}

/** One of each rule, with weight decay where it has one. */
export const rules: readonly SliceLayout['optimizer'][] = [
  { kind: OptimizerKind.sgd, hyper: [0] },
  { kind: OptimizerKind.sgd, hyper: [0.01] },
  { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-10] },
  { kind: OptimizerKind.adagrad, hyper: [0.02, 0, 1e-6] },
  { kind: OptimizerKind.rowwiseAdagrad, hyper: [0, 0.1, 1e-10] },
  { kind: OptimizerKind.rowwiseAdagrad, hyper: [0.02, 0.5, 1e-3] },
  { kind: OptimizerKind.adam, hyper: [0, 0.9, 0.999, 1e-8] },
  { kind: OptimizerKind.adam, hyper: [0.01, 0.8, 0.99, 0.01] },
  { kind: OptimizerKind.ftrl, hyper: [0, 0.1, 1, 0.3, 0.1] },
  { kind: OptimizerKind.ftrl, hyper: [0.01, 1e-6, 1, 0, 0] },
  { kind: OptimizerKind.movingAverage, hyper: [0.9] },
];
