import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { armFailpoint, disarmAll } from '../../src/base/index.js';
import { prepareRestoreCheckpoint } from '../../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'monolith-local-interrupted-'));
after(() => rmSync(root, { recursive: true, force: true }));
afterEach(disarmAll);

for (const point of ['restore.beforeMarker', 'restore.beforeCheckpoint', 'restore.beforeMonolith', 'restore.afterMonolith']) {
  test(`a restore from another system's checkpoint that is interrupted at ${point} is brought to its end by the next start`, async () => {
    const restoreDir = join(root, point, 'from');
    const modelDir = join(root, point, 'to');
    for (const folder of [restoreDir, modelDir]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(restoreDir, 'checkpoint'), 'model_checkpoint_path: "model.ckpt-30"\nall_model_checkpoint_paths: "model.ckpt-30"\n');
    for (const part of ['index', 'data-00000-of-00001']) writeFileSync(join(restoreDir, `model.ckpt-30.${part}`), '');
    const request = { restoreDir, modelDir, isChief: true, timeoutMs: 1000, pollIntervalMs: 10 };
    armFailpoint(point, 'throw', 1);
    await assert.rejects(prepareRestoreCheckpoint(request), new RegExp(`failpoint ${point}`));
    disarmAll();
    const state = await prepareRestoreCheckpoint(request);
    assert.equal(state.modelCheckpointPath, join(restoreDir, 'model.ckpt-30'));
    assert.equal(readFileSync(join(modelDir, 'restore_ckpt'), 'utf8'), join(restoreDir, 'model.ckpt-30'));
    assert.match(readFileSync(join(modelDir, 'monolith_checkpoint'), 'utf8'), /exempt_model_checkpoint_paths: ".*model\.ckpt-30"/);
    assert.deepEqual(await prepareRestoreCheckpoint({ ...request, isChief: false }), state);
  });
}
