import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadAddon } from '../../../src/kernels/native/load.js';
import { createNativeDense } from '../../../src/kernels/native/native-dense.js';
import { assertSameBits, Random } from './support.js';

const { addon, reason } = loadAddon();
const skip = addon === null && process.env.MONOLITH_LOCAL_REQUIRE_NATIVE !== '1' ? `native addon not available: ${reason}` : false;

/** Loads the addon in the thread, multiplies into shared memory and ends, by itself or by process.exit. */
const source = `
  const { workerData } = require('node:worker_threads');
  Promise.all([import(workerData.load), import(workerData.dense)]).then(([{ loadAddon }, { createNativeDense }]) => {
    const kernels = createNativeDense(loadAddon().addon);
    const { m, n, k, a, b, c } = workerData;
    for (let i = 0; i < 20; i++) kernels.gemm(false, true, m, n, k, a, k, b, k, c, n, false, null, 0);
    if (workerData.exit) process.exit(0);
  });
`;

test('threads that come and go multiply at the same time with the same bits', { skip }, async () => {
  assert.ok(addon, `native addon not available: ${reason}`);
  const random = new Random(1);
  const [m, n, k] = [70, 50, 600];
  const a = random.values(m * k);
  const b = random.values(n * k);
  const expected = new Float32Array(m * n);
  createNativeDense(addon).gemm(false, true, m, n, k, a, k, b, k, expected, n, false, null, 0);
  const [load, dense] = ['load', 'native-dense'].map((name) => new URL(`../../../src/kernels/native/${name}.js`, import.meta.url).href);
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      [false, true, false].map(async (exit) => {
        const c = new Float32Array(new SharedArrayBuffer(m * n * 4));
        const worker = new Worker(source, { eval: true, workerData: { load, dense, m, n, k, a, b, c, exit } });
        const code = await new Promise((resolve, reject) => {
          worker.on('error', reject);
          worker.on('exit', resolve);
        });
        assert.equal(code, 0);
        assertSameBits('thread', c, expected);
      }),
    );
  }
});
