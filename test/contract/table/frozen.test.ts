import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { crc32c } from '../../../src/base/index.js';
import { type FrozenFigures, RowFormat } from '../../../src/kernels/index.js';
import { createNativeCheckpoint } from '../../../src/kernels/native/native-checkpoint.js';
import { NativeTable } from '../../../src/kernels/native/native-table.js';
import { candidates, generator, nativeAddon, options, slice } from './backends.js';
import { assertSame, dumped, frozenSuite, type Read, readBucket, trainer } from './suite-frozen.js';

for (const candidate of candidates()) frozenSuite(candidate);

const addon = nativeAddon();

describe('native frozen rows', { skip: addon === null }, () => {
  for (const format of [RowFormat.fp32, RowFormat.bf16]) {
    test(`format ${format}: another thread reads them from two shards while rows change under it`, async () => {
      assert.ok(addon);
      const tables = [0, 1].map(
        () => new NativeTable(addon, options([slice(16)], { segmentRows: 4096, format, timestamps: format === 1 })),
      );
      const trainers = tables.map((table, s) => trainer(table, 5 + s, 20_000));
      for (let step = 1; step < 400; step++) for (const train of trainers) train(step);
      for (let round = 0; round < 4; round++) {
        const bucketBits = 7;
        const expected = tables.map((table) => dumped(table, bucketBits));
        for (const table of tables) table.freeze(false, false);
        const thread = new Worker(new URL('./frozen-reader.thread.js', import.meta.url), {
          workerData: { ids: tables.map((table) => table.shareId()), bucketBits },
        });
        const result = await new Promise<{ read: Read[]; figures: FrozenFigures }>((resolve, reject) => {
          let reading = false;
          let ended = false;
          let step = 1000 * (round + 1);
          const work = (): void => {
            if (ended) return;
            if (reading) for (let i = 0; i < 10; i++, step++) for (const train of trainers) train(step);
            setImmediate(work);
          };
          work();
          thread.on('error', reject);
          thread.on('message', (message: unknown) => {
            if (message === 'open') reading = true;
            else {
              ended = true;
              resolve(message as { read: Read[]; figures: FrozenFigures });
            }
          });
        });
        assert.ok(result.figures.copies > 0, 'rows changed while they were read');
        const width = tables[0].dim + tables[0].stateLength;
        result.read.forEach((read, bucket) => {
          // Two shards hold the same ids here, and equal fids keep the order of the shards.
          const merged = mergeTwo(expected[0][bucket], expected[1][bucket], width);
          assertSame(read, merged, `round ${round}, bucket ${bucket}`);
        });
        await thread.terminate();
      }
    });
  }

  test('a reader that goes without a word leaves nothing behind, nor do copies', async () => {
    assert.ok(addon);
    const table = new NativeTable(addon, options([slice(16)], { segmentRows: 4096 }));
    const train = trainer(table, 9, 5000);
    for (let step = 1; step < 60; step++) train(step);
    const nothing = BigInt64Array.of();
    const settle = (): void =>
      void table.apply([new Int32Array([0])], Int32Array.of(0), Int32Array.of(1), [new Float32Array(16)], Float32Array.of(0), 0);
    table.lookup(nothing, 0, 0, true, 1, new Float32Array(0), new Int32Array(0));
    const before = table.memoryBytes();
    for (let i = 0; i < 5; i++) {
      table.freeze(false, false);
      const rows = table.frozen();
      settle();
      assert.equal(rows.figures().copies, 1);
      assert.ok(table.memoryBytes() > before);
      assert.throws(() => table.clear(), /frozen rows/);
      rows.end();
      settle();
      assert.equal(table.memoryBytes(), before, 'the table has let go');
      assert.ok(rows.figures().alone);
      assert.equal(rows.figures().copies, 1);
      rows.release();
    }
    const thread = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       require(workerData.addon).frozenOpen(Float64Array.of(workerData.id)); parentPort.postMessage(1);
       parentPort.on('message', () => {}); // it lives until it is ended from outside`,
      { eval: true, workerData: { addon: addonPath(), id: table.shareId() } },
    );
    table.freeze(false, false);
    await new Promise((resolve) => thread.once('message', resolve));
    assert.throws(() => table.freeze(false, false), { code: 'FailedPrecondition' });
    await thread.terminate();
    table.freeze(false, false);
    settle();
    table.freeze(false, false);
    table.frozen().release();
    settle();
    assert.equal(table.memoryBytes(), before);
    table.clear();
  });

  test('lines that the index outgrows while they are walked stay until the end, and are used again', () => {
    assert.ok(addon);
    const table = new NativeTable(addon, options([slice(1)], { segmentRows: 1 << 14 }));
    const next = generator(3);
    const add = (count: number): void => {
      const fids = BigInt64Array.from({ length: count }, () => BigInt(next()) * 4294967296n + BigInt(next()));
      table.lookup(fids, 0, count, true, 1, new Float32Array(count), new Int32Array(count));
    };
    add(30_000);
    const expected = dumped(table, 5);
    table.freeze(false, false);
    const rows = table.frozen();
    expected.forEach((bucket, b) => {
      add(20_000);
      assertSame(readBucket(rows, 5, b), bucket, `bucket ${b}`);
    });
    rows.release();
    add(1);
    assert.equal(table.size(), 30_000 + 32 * 20_000 + 1);
  });

  test('a wrong call is an error, never a crash', () => {
    assert.ok(addon);
    const raw = addon as unknown as { readonly [name: string]: (...args: unknown[]) => unknown };
    const table = new NativeTable(addon, options([slice(2)]));
    const other = new NativeTable(addon, options([slice(3)]));
    const { openFrozen } = createNativeCheckpoint(addon);
    for (const ids of [[], [0], [-1], [Number.NaN], [1e12], [table.shareId()]])
      assert.throws(() => openFrozen(ids), { code: 'InvalidArgument' });
    table.freeze(false, false);
    other.freeze(false, false);
    assert.throws(() => openFrozen([table.shareId(), other.shareId()]), { code: 'InvalidArgument' });
    table.lookup(BigInt64Array.of(1n, 2n), 0, 2, true, 1, new Float32Array(4), new Int32Array(2));
    table.freeze(false, false);
    const rows = table.frozen();
    assert.throws(() => rows.collect(33, 0));
    assert.throws(() => rows.collect(3, 8));
    rows.collect(0, 0);
    assert.throws(() => rows.read(new BigInt64Array(1), new Uint32Array(2), new Float32Array(8)), { code: 'ShapeMismatch' });
    assert.throws(() => rows.read(new BigInt64Array(2), new Uint32Array(2), new Float32Array(7)), { code: 'ShapeMismatch' });
    rows.release();
    assert.equal(rows.collect(0, 0), 0);
    for (const name of ['frozenDescribe', 'frozenCollect', 'frozenRead', 'frozenEnd', 'frozenRelease', 'tableFreeze']) {
      assert.throws(() => raw[name]({}, 0, 0, 0), TypeError, name);
      assert.throws(() => raw[name](), TypeError, name);
    }
  });

  test('the checksum is that of the specification', () => {
    assert.ok(addon);
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
    for (const length of [0, 1, 7, 8, 9, 1000]) {
      assert.equal(createNativeCheckpoint(addon).crc32c(bytes.subarray(0, length)), crc32c(bytes.subarray(0, length)));
    }
  });
});

function addonPath(): string {
  return new URL('../../../../native/out/monolith_local.node', import.meta.url).pathname;
}

/** Rows of two shards in one ascending order; of equal fids those of the first come first. */
function mergeTwo(a: Read, b: Read, width: number): Read {
  const all = [a, b].flatMap((read) => [...read.fids].map((fid, i) => ({ key: BigInt.asUintN(64, fid), read, i })));
  all.sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0));
  const records = new Float32Array(all.length * width);
  all.forEach(({ read, i }, to) => {
    records.set(read.records.subarray(i * width, (i + 1) * width), to * width);
  });
  return {
    fids: BigInt64Array.from(all, ({ read, i }) => read.fids[i]),
    timestamps: Uint32Array.from(all, ({ read, i }) => read.timestamps[i]),
    records,
  };
}
