import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { FAILPOINTS_VARIABLE } from '../../src/base/index.js';
import { type BaseReference, type CheckpointReader, listCheckpoints, openCheckpoint, referenceTo } from '../../src/checkpoint/index.js';
import { CheckpointThread, type LocalCluster } from '../../src/cluster/index.js';
import { loadAddon } from '../../src/kernels/index.js';
import { CheckpointSaver, loadSnapshot, type SaveRequest, savedTables, saveSnapshot } from '../../src/training/index.js';
import { startSmallCluster, trainSteps } from '../helpers/local-cluster.js';

const root = mkdtempSync(join(tmpdir(), 'monolith-local-background-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folder = (): string => join(root, String(folders++));

const clusters: LocalCluster[] = [];
const savers: CheckpointSaver[] = [];
afterEach(async () => {
  delete process.env[FAILPOINTS_VARIABLE];
  for (const saver of savers.splice(0)) await saver.close();
  for (const cluster of clusters.splice(0)) await cluster.close();
});

async function start(values: Parameters<typeof startSmallCluster>[0]): Promise<LocalCluster> {
  const cluster = await startSmallCluster({ model: 'deepfm', modelOptions: { hidden: [8] }, ...values });
  clusters.push(cluster);
  return cluster;
}

/** Threads that start later see the failpoints, this one does not. */
function saverOf(engine: LocalCluster, modelDir: string, base: BaseReference | null = null, failpoints = ''): CheckpointSaver {
  const openWriter = (): CheckpointThread => {
    process.env[FAILPOINTS_VARIABLE] = failpoints;
    return new CheckpointThread(engine.spec);
  };
  const saver = new CheckpointSaver({ engine, modelDir, openWriter, background: true, deltas: true, base });
  savers.push(saver);
  return saver;
}

const request = (step: number, delta = false): SaveRequest => ({
  step,
  keep: 10,
  keepStep: null,
  fields: { at: step },
  delta,
  last: false,
});

async function contentOf(modelDir: string, step: number): Promise<Map<string, string>> {
  const reader = await openCheckpoint(join(modelDir, `checkpoint-${step}`));
  return sectionsOf(reader);
}

async function sectionsOf(reader: CheckpointReader): Promise<Map<string, string>> {
  const sections = new Map<string, string>();
  for (const name of reader.sectionNames) sections.set(name, Buffer.from(await reader.section(name).readAll()).toString('base64'));
  sections.set('tables', JSON.stringify(savedTables(reader)));
  return sections;
}

const skip = loadAddon().addon === null;

describe('a checkpoint written while training goes on', { skip }, () => {
  for (const [shardWork, storage] of [
    ['threads', 'fp32'],
    ['in-place', 'bf16'],
  ] as const) {
    test(`${shardWork}, ${storage}: holds what a blocking one does, though rows change and come before they are read`, async () => {
      const cluster = await start({ shardWork, embedding: { storage } });
      const [standing, moving] = [folder(), folder()];
      await trainSteps(cluster, 0, 10);
      await saveSnapshot(cluster, { modelDir: standing, ...request(10) });
      // The thread reads no row before half a second has passed.
      const saver = saverOf(cluster, moving, null, 'checkpoint.afterBegin=sleep:500');
      const { rows } = await cluster.sizes();
      const { durable, isDelta } = await saver.begin(request(10));
      assert.equal(isDelta, false);
      await trainSteps(cluster, 10, 40);
      assert.ok((await cluster.sizes()).rows[0] > rows[0], 'new rows came');
      assert.equal(await durable, join(moving, 'checkpoint-10.json'));
      assert.deepEqual(await contentOf(moving, 10), await contentOf(standing, 10));
      // And training was not disturbed: the next one is what blocking saves of the same state are.
      await saveSnapshot(cluster, { modelDir: standing, ...request(40) });
      await (await saver.begin(request(40))).durable;
      assert.deepEqual(await contentOf(moving, 40), await contentOf(standing, 40));
    });
  }

  test('gives its memory back: tables hold no more after it than before', async () => {
    const cluster = await start({ shardWork: 'threads' });
    await trainSteps(cluster, 0, 10);
    const saver = saverOf(cluster, folder());
    const { memoryBytes } = await cluster.sizes();
    for (let i = 1; i <= 4; i++) {
      const { durable } = await saver.begin(request(i));
      // The same batches again: no new rows.
      await trainSteps(cluster, 0, 10);
      await durable;
      await trainSteps(cluster, 0, 1);
    }
    assert.equal((await cluster.sizes()).memoryBytes, memoryBytes);
  });

  test('one at a time: the next one waits, and both are there', async () => {
    const cluster = await start({});
    const modelDir = folder();
    const saver = saverOf(cluster, modelDir, null, 'checkpoint.afterBegin=sleep:300@1');
    await trainSteps(cluster, 0, 4);
    const first = await saver.begin(request(4));
    await trainSteps(cluster, 4, 8);
    const second = await saver.begin(request(8));
    assert.ok(second.waitedMs >= 200, `${second.waitedMs} ms`);
    await Promise.all([first.durable, second.durable]);
    assert.deepEqual(
      (await listCheckpoints(modelDir)).map(({ step }) => step),
      [4, 8],
    );
  });

  test('that fails names the step and leaves nothing; training is not touched, and the next one is whole', async () => {
    const cluster = await start({});
    const modelDir = folder();
    await trainSteps(cluster, 0, 3);
    await saveSnapshot(cluster, { modelDir, ...request(3) });
    const before = readdirSync(modelDir).sort();
    for (const [failpoints, code, message] of [
      ['durable-file.write=enospc@2', 'DiskFull', /checkpoint-6/],
      ['durable-file.rename=eio@2', 'WriteFailed', /checkpoint-6/],
      ['checkpoint.beforeSectionSync=throw@2', 'Internal', /checkpoint-6 not written: failpoint/],
      [
        'checkpoint.afterBegin=exit@1',
        'WorkerDied',
        /checkpoint-6 not written: the thread that writes checkpoints ended with exit code 70/,
      ],
    ] as const) {
      const failing = saverOf(cluster, modelDir, await referenceTo(modelDir, 3), failpoints);
      const { durable } = await failing.begin(request(6));
      durable.catch(() => {});
      await trainSteps(cluster, 6, 9);
      await assert.rejects(durable, { code, message }, failpoints);
      if (code === 'WorkerDied') continue;
      assert.deepEqual(readdirSync(modelDir).sort(), before, failpoints);
      if (code !== 'WriteFailed') continue;
      // What deltas would have stood on is not there.
      const next = await failing.begin(request(9, true));
      assert.equal(next.isDelta, false);
      await next.durable;
      assert.equal((await openCheckpoint(join(modelDir, 'checkpoint-9'))).base, null);
      for (const name of readdirSync(modelDir)) if (name.startsWith('checkpoint-9')) rmSync(join(modelDir, name), { recursive: true });
    }
  });

  test('what is not finite is not written, in the background neither', async () => {
    const cluster = await start({});
    const modelDir = folder();
    await trainSteps(cluster, 0, 3);
    const [part] = (await cluster.dump(0, 0, 0)).filter(({ count }) => count > 0);
    part.records[1] = Number.NaN;
    await cluster.load(0, part);
    const { durable } = await saverOf(cluster, modelDir).begin(request(3));
    const id = BigInt.asUintN(64, part.fids[0]);
    await assert.rejects(durable, {
      code: 'NonFiniteParameters',
      message: new RegExp(`checkpoint-3 not written: table ".*", id ${id}, value 1 is NaN`),
    });
    assert.deepEqual(await listCheckpoints(modelDir), []);
  });
});

describe('a delta', { skip }, () => {
  test('and its base lead on any number of shards to the bits of an uncut run, and to the same next delta', async () => {
    const storage = 'fp16';
    const modelDir = folder();
    const uncut = await start({ embedding: { storage } });
    const saver = saverOf(uncut, modelDir);
    await trainSteps(uncut, 0, 30);
    await (await saver.begin(request(30, true))).durable;
    const pending = await saver.begin(request(30));
    await trainSteps(uncut, 30, 33);
    await pending.durable;
    const delta = await saver.begin(request(33, true));
    assert.ok(delta.isDelta);
    await trainSteps(uncut, 33, 35);
    await delta.durable;
    await (await saver.begin(request(35, true))).durable;
    await trainSteps(uncut, 35, 38);
    const end = folder();
    await saveSnapshot(uncut, { modelDir: end, ...request(38) });

    const reader = await openCheckpoint(join(modelDir, 'checkpoint-33'));
    assert.equal(reader.base?.step, 30);
    const [table] = savedTables(reader);
    assert.ok(table.changed !== undefined && table.changed > 0 && table.changed < table.rows, JSON.stringify(table));
    for (const [ps, shardWork] of [
      [1, 'threads'],
      [3, 'in-place'],
    ] as const) {
      const resumed = await start({ ps, shardWork, embedding: { storage } });
      await loadSnapshot(resumed, reader);
      const again = folder();
      await trainSteps(resumed, 33, 35);
      rmSync(again, { recursive: true, force: true });
      const other = saverOf(resumed, modelDir, reader.manifest.base);
      const first = await contentOf(modelDir, 35);
      await (await other.begin(request(35, true))).durable;
      assert.deepEqual(await contentOf(modelDir, 35), first, 'the delta of step 35');
      await trainSteps(resumed, 35, 38);
      await saveSnapshot(resumed, { modelDir: again, ...request(38) });
      assert.deepEqual(await contentOf(again, 38), await contentOf(end, 38), `${ps} shards, ${shardWork}`);
    }
  });

  test('is refused where nobody keeps account of changes', async () => {
    const cluster = await start({ backend: 'reference' });
    assert.throws(() => saverOf(cluster, folder()), { code: 'InvalidConfig', message: /deltaEvery/ });
  });
});
