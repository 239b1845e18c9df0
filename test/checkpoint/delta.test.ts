import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  type BaseReference,
  CheckpointWriter,
  listCheckpoints,
  newestGood,
  openCheckpoint,
  prune,
  referenceTo,
  verify,
} from '../../src/checkpoint/index.js';
import { contentOf, failureOf, save, temporaryModelDir } from './fixture.js';

let model = temporaryModelDir();
beforeEach(() => {
  model.remove();
  model = temporaryModelDir();
});
afterEach(() => model.remove());

async function saveDelta(step: number, base: BaseReference): Promise<string> {
  const writer = await CheckpointWriter.begin(model.path, step);
  await writer.writeSection('rows', contentOf(step, 'rows', 70_000));
  return writer.commit({ note: 'delta' }, base);
}

const steps = async () => (await listCheckpoints(model.path)).map((entry) => entry.step);

/** Changes one byte of a section. */
function damage(step: number, section: string, at = 100): void {
  const path = join(model.path, `checkpoint-${step}`, section);
  const bytes = readFileSync(path);
  bytes[at] ^= 1;
  writeFileSync(path, bytes);
}

describe('a delta', () => {
  test('names its base and opens together with it; a whole checkpoint keeps version 1', async () => {
    await save(model.path, 10);
    await saveDelta(13, await referenceTo(model.path, 10));
    const whole = await openCheckpoint(join(model.path, 'checkpoint-10'));
    assert.equal(whole.manifest.formatVersion, 1);
    assert.equal(whole.base, null);
    const delta = await openCheckpoint(join(model.path, 'checkpoint-13'));
    assert.equal(delta.manifest.formatVersion, 2);
    assert.deepEqual(delta.manifest.base, { step: 10, crc32c: whole.manifest.crc32c });
    assert.deepEqual(delta.manifest.fields, { note: 'delta' });
    assert.deepEqual(await delta.base?.section('dense').readAll(), await whole.section('dense').readAll());
    const digits = readFileSync(join(model.path, 'checkpoint-10.json'), 'latin1').match(/"crc32c": "(0x[0-9a-f]{8})"\n\}\n$/);
    assert.ok(
      readFileSync(join(model.path, 'checkpoint-13.json'), 'utf8').includes(
        `"base": {\n    "step": 10,\n    "crc32c": "${digits?.[1]}"\n  }`,
      ),
    );
    assert.equal((await verify(model.path)).step, 13);
  });

  test('with a damaged base is not good: the error says which of the two is damaged, and what to delete', async () => {
    await save(model.path, 5);
    await save(model.path, 10);
    const base = await referenceTo(model.path, 10);
    await saveDelta(12, base);
    await saveDelta(13, base);
    damage(10, 'table-0');
    const error = await failureOf(() => verify(join(model.path, 'checkpoint-13')));
    assert.equal(error.code, 'CheckpointCorrupt');
    assert.match(error.message, /^checkpoint-13 is a delta of checkpoint-10, and that is damaged: checkpoint-10\/table-0 block 0 .*crc32c/);
    assert.match(
      error.message,
      /good checkpoint: checkpoint-5 \(to resume from it, delete checkpoint-10\.json, checkpoint-12\.json, checkpoint-13\.json\)$/,
    );
    assert.equal(error.details.base, 'checkpoint-10');
    const reader = await openCheckpoint(join(model.path, 'checkpoint-13'));
    assert.match(
      (await failureOf(async () => reader.base?.section('table-0').readAll())).message,
      /^checkpoint-13 is a delta of checkpoint-10, and .*checkpoint-5/,
    );
    assert.equal((await newestGood(model.path))?.step, 5);
  });

  test('that is damaged itself is passed over for the delta before, then the base', async () => {
    await save(model.path, 10);
    const base = await referenceTo(model.path, 10);
    await saveDelta(12, base);
    await saveDelta(13, base);
    damage(13, 'rows');
    assert.match(
      (await failureOf(() => verify(model.path.concat('/checkpoint-13')))).message,
      /^checkpoint-13\/rows block 0 .*checkpoint-12/,
    );
    assert.equal((await newestGood(model.path))?.step, 12);
    damage(12, 'rows');
    assert.equal((await newestGood(model.path))?.step, 10);
  });

  test('whose base is gone, was written anew, or is a delta itself, is refused', async () => {
    await save(model.path, 10);
    const base = await referenceTo(model.path, 10);
    await saveDelta(12, base);
    await saveDelta(13, await referenceTo(model.path, 12));
    assert.match(
      (await failureOf(() => openCheckpoint(join(model.path, 'checkpoint-13')))).message,
      /delta of checkpoint-12, and that is damaged: checkpoint-12\.json is another one/,
    );
    await save(model.path, 10);
    assert.match(
      (await failureOf(() => openCheckpoint(join(model.path, 'checkpoint-12')))).message,
      /checkpoint-10\.json is another one: its crc32c is 0x\w+, checkpoint-12\.json says 0x/,
    );
    rmSync(join(model.path, 'checkpoint-10.json'));
    assert.match(
      (await failureOf(() => openCheckpoint(join(model.path, 'checkpoint-12')))).message,
      /delta of checkpoint-10, .*checkpoint-10\.json can't be read/,
    );
    await save(model.path, 20);
    await assert.rejects(
      saveDelta(20, await referenceTo(model.path, 20)).then(() => openCheckpoint(join(model.path, 'checkpoint-20'))),
      /names no base before it/,
    );
  });
});

describe('pruning with deltas', () => {
  test('keeps the base of every kept delta, and nothing else of its age', async () => {
    for (const step of [1, 2, 10]) await save(model.path, step);
    const base = await referenceTo(model.path, 10);
    for (const step of [11, 12, 13, 14]) await saveDelta(step, base);
    await prune(model.path, 2);
    assert.deepEqual(await steps(), [10, 13, 14]);
    await verify(model.path);
    assert.deepEqual(readFileSync(join(model.path, 'checkpoint'), 'utf8').match(/\d+/g), ['14', '10', '13', '14']);
    await save(model.path, 20);
    await prune(model.path, 2);
    assert.deepEqual(await steps(), [10, 14, 20], 'one delta of it is left');
    await save(model.path, 21);
    await prune(model.path, 2);
    assert.deepEqual(await steps(), [20, 21]);
    assert.ok(!readdirSync(model.path).includes('checkpoint-10'));
  });

  test('does not count deltas of a damaged base, and keeps the best with its base', async () => {
    for (const step of [1, 10]) await save(model.path, step);
    await saveDelta(11, await referenceTo(model.path, 10));
    await saveDelta(3, await referenceTo(model.path, 1));
    writeFileSync(join(model.path, 'checkpoint-10.json'), '{}');
    await save(model.path, 2);
    await prune(model.path, 1, 3);
    // 11 and 10 are newer than the newest good one, 3, which stands on 1.
    assert.deepEqual(await steps(), [1, 2, 3, 10, 11]);
    await save(model.path, 20);
    await prune(model.path, 1, 3);
    assert.deepEqual(await steps(), [1, 3, 20]);
  });
});
