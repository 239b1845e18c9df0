import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listCheckpoints } from '../../src/checkpoint/index.js';
import { saveSnapshot } from '../../src/training/index.js';
import { startSmallCluster as startCluster, trainSteps } from '../helpers/local-cluster.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-local-snapshot-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('what is not finite is never written: the checkpoint before stays the newest', async () => {
  const cluster = await startCluster({ model: 'fm', workers: 1, ps: 2 });
  try {
    await trainSteps(cluster, 0, 2);
    const save = (step: number): Promise<string> => saveSnapshot(cluster, { modelDir: folder, step, keep: 3, keepStep: null, fields: {} });
    await save(2);
    const before = readdirSync(folder).sort();

    const [part] = (await cluster.dump(0, 0, 0)).filter(({ count }) => count > 0);
    for (const [index, place] of [
      [3, 'value 3'],
      [part.records.length / part.count - 1, 'optimizer state'],
    ] as const) {
      const kept = part.records[index];
      part.records[index] = Number.POSITIVE_INFINITY;
      await cluster.load(0, part);
      const id = BigInt.asUintN(64, part.fids[0]);
      await assert.rejects(save(3), {
        code: 'NonFiniteParameters',
        message: new RegExp(`table ".*", id ${id}, ${place}.* is Infinity`),
      });
      part.records[index] = kept;
      await cluster.load(0, part);
    }

    const value = cluster.parameters[0];
    cluster.parameters[0] = Number.NaN;
    await assert.rejects(save(3), { code: 'NonFiniteParameters', message: /dense parameter ".+"\[0\] is NaN/ });
    cluster.parameters[0] = value;

    assert.deepEqual(readdirSync(folder).sort(), before);
    await save(3);
    assert.deepEqual(
      (await listCheckpoints(folder)).map(({ step }) => step),
      [2, 3],
    );
  } finally {
    await cluster.close();
  }
});
