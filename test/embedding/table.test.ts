import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmbeddingTable, type EmbeddingTableSpec, resolveInitializer } from '../../src/embedding/index.js';
import { InitializerKind, OptimizerKind } from '../../src/kernels/index.js';
import { referenceSparse } from '../../src/kernels/reference/sparse.js';

const spec: EmbeddingTableSpec = {
  name: 'ads',
  slices: [
    {
      name: 'linear',
      dim: 1,
      initializer: resolveInitializer({ kind: 'zeros' }),
      optimizer: { kind: OptimizerKind.ftrl, hyper: [0, 0.1, 1, 0, 0] },
    },
    {
      name: 'embedding',
      dim: 4,
      initializer: resolveInitializer({ kind: 'uniform', low: -0.1, high: 0.1 }),
      optimizer: { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-10] },
    },
  ],
  sliceRates: [0.05, 0.02],
  maxRows: 0,
};

function rowsOf(table: EmbeddingTable, fids: readonly bigint[]): { rows: Float32Array; handles: Int32Array } {
  const rows = new Float32Array(fids.length * table.dim);
  const handles = new Int32Array(fids.length);
  table.lookup(BigInt64Array.from(fids), 0, fids.length, true, 1, rows, handles);
  return { rows, handles };
}

test('a table knows where its slices lie', () => {
  const table = new EmbeddingTable(referenceSparse, spec, 42);
  assert.equal(table.name, 'ads');
  assert.equal(table.dim, 5);
  assert.equal(table.stateLength, 6);
  assert.deepEqual(table.slices, [
    { name: 'linear', dim: 1, offset: 0, stateOffset: 5, stateLength: 2 },
    { name: 'embedding', dim: 4, offset: 1, stateOffset: 7, stateLength: 4 },
  ]);
});

test('new rows differ by seed and by table name, and are equal otherwise', () => {
  const make = (name: string, seed: number) => [...rowsOf(new EmbeddingTable(referenceSparse, { ...spec, name }, seed), [7n, 8n]).rows];
  assert.deepEqual(make('ads', 42), make('ads', 42));
  assert.notDeepEqual(make('ads', 42), make('ads', 43));
  assert.notDeepEqual(make('ads', 42), make('users', 42));
});

test('every slice uses its own rate', () => {
  const table = new EmbeddingTable(referenceSparse, spec, 42);
  const { rows, handles } = rowsOf(table, [1n]);
  table.apply([handles], Int32Array.of(0), Int32Array.of(1), [new Float32Array(5).fill(1)], Float32Array.of(0.05, 0.02), 0);
  const after = rowsOf(table, [1n]).rows;
  const step = 0.02 / Math.sqrt(1.1);
  for (let d = 1; d < 5; d++) assert.ok(Math.abs(rows[d] - step - after[d]) < 1e-6);
  assert.ok(Math.abs(after[0] + 0.05 / (Math.sqrt(1.1) + 1)) < 1e-6);
});

test('TableFull names the table', () => {
  const table = new EmbeddingTable(referenceSparse, { ...spec, maxRows: 2 }, 42);
  assert.throws(() => rowsOf(table, [1n, 2n, 3n]), { code: 'TableFull', message: /table "ads".*maxRows = 2/ });
  assert.equal(table.size(), 0);
});

test('a spec that no table can have is an InvalidConfig that says what is wrong', () => {
  const cases: [Partial<EmbeddingTableSpec>, RegExp][] = [
    [{ slices: [], sliceRates: [] }, /no slices/],
    [{ slices: [{ ...spec.slices[0], dim: 0 }], sliceRates: [0.1] }, /slice "linear": dim/],
    [{ slices: [spec.slices[0], spec.slices[0]] }, /two slices are named "linear"/],
    [
      { slices: [{ ...spec.slices[1], optimizer: { kind: OptimizerKind.adagrad, hyper: [0, 0, 0] } }], sliceRates: [0.1] },
      /can't both be 0/,
    ],
    [{ sliceRates: [0.1] }, /expected 2 learning rates/],
    [{ sliceRates: [0.1, -1] }, /learning rates/],
    [{ maxRows: 1.5 }, /maxRows/],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => new EmbeddingTable(referenceSparse, { ...spec, ...change }, 42), { code: 'InvalidConfig', message });
  }
});

test('initializers are resolved or refused', () => {
  assert.deepEqual(resolveInitializer({ kind: 'normal', mean: 1, stddev: 2 }), { kind: InitializerKind.normal, a: 1, b: 2 });
  assert.deepEqual(resolveInitializer({ kind: 'constant', value: 3 }), { kind: InitializerKind.constant, a: 3, b: 0 });
  for (const wrong of [
    { kind: 'uniform', low: 1, high: 0 },
    { kind: 'normal', mean: 0, stddev: -1 },
    { kind: 'constant', value: Number.NaN },
    { kind: 'xavier' },
  ]) {
    assert.throws(() => resolveInitializer(wrong as never), { code: 'InvalidConfig' });
  }
});
