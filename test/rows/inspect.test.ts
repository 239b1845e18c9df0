import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { diffCheckpoints, findRows, openSaved, parseFid, type SavedRun, summariseTable, tableNamed } from '../../src/rows/index.js';
import { DIM, madeRows, over, type Rows, saveRows, temporaryModelDir } from './fixture.js';

const folders: ReturnType<typeof temporaryModelDir>[] = [];
after(() => {
  for (const folder of folders) folder.remove();
});

async function saved(step: number, options: Parameters<typeof saveRows>[2]): Promise<SavedRun> {
  const folder = temporaryModelDir();
  folders.push(folder);
  return openSaved(await saveRows(folder.path, step, options), { verify: true });
}

/** A checkpoint of 100 rows and a delta of it with 40 of them and 25 new ones. */
async function savedDelta(baseBits: number, deltaBits: number): Promise<{ run: SavedRun; rows: Rows }> {
  const folder = temporaryModelDir();
  folders.push(folder);
  const base = madeRows(100, 1);
  const delta = madeRows(25, 2);
  for (const [i, fid] of [...base.keys()].entries()) {
    if (i < 40) delta.set(fid, { lastUsed: 95, record: Float32Array.from({ length: 9 }, (_, k) => i + k) });
  }
  const rows = over(base, delta);
  await saveRows(folder.path, 90, { rows: base, bits: baseBits });
  const path = await saveRows(folder.path, 99, { rows: delta, bits: deltaBits, base: { step: 90, total: rows.size } });
  return { run: await openSaved(path, { verify: true }), rows };
}

const normOf = (record: Float32Array): number => Math.sqrt(record.subarray(0, DIM).reduce((sum, value) => sum + value * value, 0));
const near = (actual: number | undefined, expected: number, relative = 1e-6): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= relative * Math.abs(expected), `${actual}, expected ${expected}`);

describe('the rows of a table', () => {
  test('are counted by section and slot, with norms, ages, the largest and the most recent ones', async () => {
    const rows = madeRows(5000, 3);
    const run = await saved(100, { rows, bits: 3 });
    const summary = await summariseTable(run, tableNamed(run, null), 7);
    assert.equal(summary.rows, 5000);
    assert.equal(summary.sectionRows.length, 8);
    const norms = [...rows.values()].map(({ record }) => normOf(record)).sort((a, b) => a - b);
    near(summary.norm?.mean, norms.reduce((a, b) => a + b, 0) / 5000);
    near(summary.norm?.max, norms[4999]);
    for (const [q, quantile] of [
      [0.5, summary.norm?.p50],
      [0.9, summary.norm?.p90],
      [0.99, summary.norm?.p99],
    ] as const)
      near(quantile, norms[Math.ceil(q * 5000) - 1], 0.004);
    const ages = [...rows.values()].map(({ lastUsed }) => 100 - lastUsed).sort((a, b) => a - b);
    assert.deepEqual(
      [summary.age?.min, summary.age?.p50, summary.age?.p99, summary.age?.max],
      [ages[0], ages[2499], ages[4949], ages[4999]],
    );
    const largest = [...rows].sort((a, b) => normOf(b[1].record) - normOf(a[1].record)).slice(0, 7);
    assert.deepEqual(
      summary.largestNorm.map(({ fid }) => fid),
      largest.map(([fid]) => String(fid)),
    );
    assert.deepEqual(
      summary.mostRecent.map(({ lastUsed }) => lastUsed),
      new Array(7).fill(89),
    );
    assert.deepEqual(
      summary.slots.map(({ slot, rows: count }) => [slot, count]),
      [1, 2, 3].map((slot) => [slot, [...rows.keys()].filter((fid) => Number(fid >> 48n) === slot).length]),
    );
    const linear = summary.slices[0];
    assert.deepEqual([linear.name, linear.dim, linear.state], ['linear', 1, ['sumOfSquares', 'z']]);
    near(linear.norm.max, Math.max(...[...rows.values()].map(({ record }) => Math.abs(record[0]))));
  });

  test('of a run that did not keep the last use have no ages', async () => {
    const rows: Rows = new Map([...madeRows(10, 3)].map(([fid, row]) => [fid, { ...row, lastUsed: 0 }]));
    const run = await saved(100, { rows, bits: 0 });
    const summary = await summariseTable(run, tableNamed(run, null), 3);
    assert.deepEqual([summary.age, summary.mostRecent, summary.largestNorm.length], [null, [], 3]);
  });

  test('of no rows are shown as none', async () => {
    const run = await saved(1, { rows: new Map(), bits: 0 });
    const summary = await summariseTable(run, tableNamed(run, null), 3);
    assert.deepEqual([summary.rows, summary.norm, summary.slots, summary.largestNorm], [0, null, [], []]);
  });

  for (const [baseBits, deltaBits] of [
    [3, 0],
    [1, 2],
    [2, 2],
  ]) {
    test(`of a delta (${2 ** deltaBits} sections over ${2 ** baseBits}) are those of its base with the delta's over them`, async () => {
      const { run, rows } = await savedDelta(baseBits, deltaBits);
      assert.equal((await summariseTable(run, tableNamed(run, null), 3)).rows, rows.size);
      for (const [fid, { record, lastUsed }] of rows) {
        const { rows: found } = await findRows(run, fid, null);
        assert.equal(found[0].lastUsed, lastUsed);
        assert.deepEqual([...found[0].slices[0].values, ...found[0].slices[1].values], [...record.subarray(0, DIM)]);
      }
    });
  }
});

describe('one row', () => {
  test('has its slices and optimizer state by name', async () => {
    const rows = madeRows(300, 4);
    const run = await saved(100, { rows, bits: 2 });
    const [fid, { record, lastUsed }] = [...rows][123];
    const report = await findRows(run, fid, null);
    assert.deepEqual(report, {
      fid: String(fid),
      slot: Number(fid >> 48n),
      features: [],
      rows: [
        {
          table: 'linear+embedding',
          lastUsed,
          norm: normOf(record),
          slices: [
            { name: 'linear', values: [record[0]], state: { sumOfSquares: [record[4]], z: [record[5]] } },
            { name: 'embedding', values: [...record.subarray(1, 4)], state: { sumOfSquares: [...record.subarray(6, 9)] } },
          ],
        },
      ],
    });
    assert.deepEqual((await findRows(run, 5n, null)).rows, []);
    assert.throws(() => tableNamed(run, 'user'), { code: 'InvalidConfig', message: /no table "user".*it has linear\+embedding/ });
  });

  test('is asked for in decimal, signed or hexadecimal', () => {
    assert.equal(parseFid('18446744073709551615'), parseFid('-1'));
    assert.equal(parseFid('0xFf'), 255n);
    for (const bad of ['', 'x', '1.5', '18446744073709551616', '-9223372036854775809', '1e3', '0x1ffffffffffffffff'])
      assert.throws(() => parseFid(bad), { code: 'InvalidConfig' }, bad);
  });
});

describe('two checkpoints', () => {
  for (const [bitsBefore, bitsAfter] of [
    [0, 0],
    [3, 1],
    [1, 3],
  ]) {
    test(`of ${2 ** bitsBefore} and ${2 ** bitsAfter} sections differ by rows added, removed and changed`, async () => {
      const rows = [...madeRows(1000, 5)];
      const before: Rows = new Map(rows.slice(0, 700));
      const later: Rows = new Map(rows.slice(200));
      // Of 500 rows in both, 50 change by 0.5 in one value and 50 in their state alone.
      for (const [fid, { lastUsed, record }] of rows.slice(200, 300)) {
        const changed = record.slice();
        if (later.size > 0 && [...later.keys()].indexOf(fid) < 50) changed[1] = 0.5;
        else changed[8] += 1;
        later.set(fid, { lastUsed, record: changed });
      }
      const deltas = rows.slice(200, 250).map(([, { record }]) => Math.abs(0.5 - record[1]));
      const a = await saved(10, { rows: before, bits: bitsBefore });
      const b = await saved(20, { rows: later, bits: bitsAfter, parameters: [1, 2, 3, 6], config: { seed: 7 } });
      const { tables, parameters, config } = await diffCheckpoints(a, b);
      const [table] = tables;
      assert.deepEqual(
        [table.rowsBefore, table.rowsAfter, table.added, table.removed, table.changed, table.unchanged],
        [700, 800, 300, 200, 100, 400],
      );
      near(table.maxDelta, Math.max(...deltas));
      near(table.meanDelta, deltas.reduce((sum, delta) => sum + delta, 0) / (100 * DIM));
      assert.deepEqual(parameters, [{ name: 'w', shapeBefore: [2, 2], shapeAfter: [2, 2], kind: 'changed', maxDelta: 2, meanDelta: 0.5 }]);
      assert.deepEqual(config, [{ option: 'seed', before: 42, after: 7 }]);
    });
  }

  test('that are the same do not differ', async () => {
    const { run } = await savedDelta(2, 0);
    const { tables, parameters, config } = await diffCheckpoints(run, run);
    assert.deepEqual([tables[0].added, tables[0].removed, tables[0].changed, tables[0].unchanged], [0, 0, 0, 125]);
    assert.deepEqual([parameters[0].kind, config], ['unchanged', []]);
  });
});
