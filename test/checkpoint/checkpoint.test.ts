import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../src/base/index.js';
import {
  BLOCK_LENGTH,
  CheckpointWriter,
  listCheckpoints,
  newestGood,
  openCheckpoint,
  prune,
  removeAllCheckpoints,
  verify,
} from '../../src/checkpoint/index.js';
import { encodeManifest } from '../../src/checkpoint/manifest.js';
import { contentOf, failureOf, save, sectionLengths, snapshot, temporaryModelDir } from './fixture.js';

let model = temporaryModelDir();
beforeEach(() => {
  model.remove();
  model = temporaryModelDir();
});
afterEach(() => model.remove());

const names = () => readdirSync(model.path).sort();

describe('a checkpoint', () => {
  test('reads back what was written, whole or in pieces, also into shared memory', async () => {
    assert.equal(await save(model.path, 1200), join(model.path, 'checkpoint-1200.json'));
    for (const path of ['checkpoint-1200.json', 'checkpoint-1200', '']) {
      const reader = await openCheckpoint(join(model.path, path));
      assert.equal(reader.step, 1200);
      assert.deepEqual(reader.manifest.fields, { config: { seed: 42, model: 'deepfm' }, data: { epoch: 1, offset: 1200 * 512 } });
      assert.deepEqual(
        reader.sectionNames,
        sectionLengths.map(([name]) => name),
      );
      for (const [name, length] of sectionLengths) {
        const section = reader.section(name);
        const expected = Buffer.from(contentOf(1200, name, length));
        assert.equal(section.bytes, length);
        assert.ok(expected.equals(await section.readAll()));
        const shared = new Uint8Array(new SharedArrayBuffer(length));
        await section.readAll(shared);
        assert.ok(expected.equals(shared));
        const pieces: Uint8Array[] = [];
        for await (const piece of section.pieces()) pieces.push(piece.slice());
        assert.ok(expected.equals(Buffer.concat(pieces)));
        assert.equal(section.info.crc32c, crc32c(expected));
      }
    }
    assert.equal((await verify(model.path)).step, 1200);
  });

  test('any cutting of the data into appends gives the same file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 * BLOCK_LENGTH }), { maxLength: 12 }), fc.boolean(), async (lengths, reuse) => {
        const whole = contentOf(
          1,
          's',
          lengths.reduce((a, b) => a + b, 0),
        );
        const writer = await CheckpointWriter.begin(model.path, 1);
        const section = await writer.section('s');
        const scratch = new Uint8Array(3 * BLOCK_LENGTH);
        let at = 0;
        for (const length of lengths) {
          const piece = reuse ? scratch.subarray(0, length) : new Uint8Array(length);
          piece.set(whole.subarray(at, at + length));
          await section.append(piece);
          if (reuse) scratch.fill(0xee);
          at += length;
        }
        const closed = await section.close();
        assert.equal(closed.bytes, whole.length);
        assert.equal(closed.crc32c, crc32c(whole));
        assert.deepEqual(
          closed.blockChecksums,
          Array.from({ length: Math.ceil(whole.length / BLOCK_LENGTH) }, (_, i) =>
            crc32c(whole.subarray(i * BLOCK_LENGTH, (i + 1) * BLOCK_LENGTH)),
          ),
        );
        await writer.commit({});
        assert.ok(Buffer.from(whole).equals(await (await openCheckpoint(model.path)).section('s').readAll()));
      }),
      { numRuns: 25 },
    );
  });

  test('sections longer than the buffers stream through, several at once, with a checksum function of the caller', async () => {
    let calls = 0;
    const counting = (bytes: Uint8Array, seed?: number) => {
      calls++;
      return crc32c(bytes, seed);
    };
    const content = contentOf(3, 'big', 5 * 1024 * 1024 + 123);
    const writer = await CheckpointWriter.begin(model.path, 3, { crc32c: counting });
    const sections = [await writer.section('a'), await writer.section('b')];
    await Promise.all(
      sections.map(async (section) => {
        for (let at = 0; at < content.length; at += 700_001) await section.append(content.subarray(at, at + 700_001));
        await section.close();
      }),
    );
    await writer.commit({});
    assert.ok(calls >= 160, `${calls} calls`);
    const reader = await openCheckpoint(model.path, { crc32c: counting });
    let at = 0;
    for await (const piece of reader.section('b').pieces()) {
      assert.ok(Buffer.from(content.subarray(at, at + piece.length)).equals(piece));
      at += piece.length;
    }
    assert.equal(at, content.length);
  });

  test('two equal saves give equal bytes in every file', async () => {
    const other = temporaryModelDir();
    try {
      for (const step of [10, 20]) {
        await save(model.path, step);
        await save(other.path, step);
      }
      assert.deepEqual(snapshot(model.path), snapshot(other.path));
    } finally {
      other.remove();
    }
  });

  test('saving a step again replaces it in one step and leaves nothing behind', async () => {
    await save(model.path, 5);
    const writer = await CheckpointWriter.begin(model.path, 5);
    await writer.writeSection('dense', Uint8Array.of(1, 2, 3));
    assert.ok((await newestGood(model.path)) !== null, 'the old one stays good until the commit');
    await writer.commit({ again: true });
    const reader = await openCheckpoint(model.path);
    assert.deepEqual([reader.manifest.folder, reader.manifest.fields.again, reader.sectionNames.length], ['checkpoint-5.1', true, 1]);
    assert.deepEqual(names(), ['checkpoint', 'checkpoint-5.1', 'checkpoint-5.json', 'monolith_checkpoint']);
    await save(model.path, 5);
    assert.deepEqual(names(), ['checkpoint', 'checkpoint-5', 'checkpoint-5.json', 'monolith_checkpoint']);
  });

  test('an aborted save leaves nothing, and nothing can be added to it', async () => {
    const writer = await CheckpointWriter.begin(model.path, 7);
    const section = await writer.section('table');
    await section.append(new Uint8Array(100));
    await writer.abort();
    await writer.abort();
    assert.deepEqual(names(), []);
    assert.equal((await failureOf(() => section.append(new Uint8Array(1)))).code, 'InvalidArgument');
    assert.equal((await failureOf(() => writer.section('more'))).code, 'Aborted');
    assert.equal((await failureOf(() => writer.commit({}))).code, 'Aborted');
  });

  test('wrong use is refused', async () => {
    assert.equal((await failureOf(() => CheckpointWriter.begin(model.path, -1))).code, 'InvalidArgument');
    const writer = await CheckpointWriter.begin(model.path, 1);
    for (const bad of ['', '../x', 'a/b', '.hidden', 'x'.repeat(129), 'a\0b', 'ends.']) {
      assert.equal((await failureOf(() => writer.section(bad))).code, 'InvalidArgument', bad);
    }
    const section = await writer.section('Table');
    assert.match((await failureOf(() => writer.section('table'))).message, /opened twice/);
    const first = section.append(new Uint8Array(3 << 20));
    assert.match((await failureOf(() => section.append(new Uint8Array(1)))).message, /has not returned/);
    await first;
    assert.match((await failureOf(() => writer.commit({}))).message, /section Table is still open|table is still open/);
    for (const fields of [{ sections: 1 }, { crc32c: 'x' }, { step: 6 }]) {
      const again = await CheckpointWriter.begin(model.path, 5);
      assert.match((await failureOf(() => again.commit(fields))).message, /reserved/);
    }
    assert.deepEqual(names(), []);
  });

  test('a section that is not there is named with those that are', async () => {
    await save(model.path, 1);
    const reader = await openCheckpoint(model.path);
    const error = await failureOf(async () => reader.section('table-1'));
    assert.equal(error.code, 'CheckpointIncompatible');
    assert.match(error.message, /checkpoint-1: no section "table-1"; it has table-0, dense, empty\.rows/);
    assert.equal((await failureOf(() => reader.section('dense').readAll(new Uint8Array(1)))).code, 'ShapeMismatch');
  });

  test('a missing checkpoint is named with those that are there', async () => {
    assert.equal((await failureOf(() => openCheckpoint(join(model.path, 'nowhere')))).code, 'CheckpointNotFound');
    assert.equal((await failureOf(() => openCheckpoint(model.path))).code, 'CheckpointNotFound');
    await save(model.path, 10);
    const error = await failureOf(() => openCheckpoint(join(model.path, 'checkpoint-11')));
    assert.equal(error.code, 'CheckpointNotFound');
    assert.match(error.message, /checkpoint-11: no such checkpoint\. There are checkpoint-10/);
  });

  test('a newer format version is refused naming both versions, and not passed over in silence', async () => {
    await save(model.path, 1);
    const text = encodeManifest({ step: 2, folder: 'checkpoint-2', base: null, sections: [], fields: {} });
    const body = text.replace('"formatVersion": 1', '"formatVersion": 7').slice(0, -'00000000"\n}\n'.length);
    const checksum = crc32c(new TextEncoder().encode(body)).toString(16).padStart(8, '0');
    writeFileSync(join(model.path, 'checkpoint-2.json'), `${body}${checksum}"\n}\n`);
    for (const act of [() => openCheckpoint(join(model.path, 'checkpoint-2')), () => newestGood(model.path)]) {
      const error = await failureOf(act);
      assert.equal(error.code, 'CheckpointIncompatible');
      assert.match(error.message, /version 7.*up to version 2/);
    }
  });
});

describe('state files', () => {
  test('checkpoint has the text form of TensorFlow', async () => {
    for (const step of [0, 999, 1000]) await save(model.path, step);
    assert.equal(
      readFileSync(join(model.path, 'checkpoint'), 'utf8'),
      'model_checkpoint_path: "checkpoint-1000"\nall_model_checkpoint_paths: "checkpoint-0"\n' +
        'all_model_checkpoint_paths: "checkpoint-999"\nall_model_checkpoint_paths: "checkpoint-1000"\n',
    );
    assert.equal(readFileSync(join(model.path, 'monolith_checkpoint'), 'utf8'), 'builtin_hash_table_type: CUCKOO_HASH_MAP\n');
  });

  test('monolith_checkpoint keeps what others wrote into it, in either text form', async () => {
    writeFileSync(
      join(model.path, 'monolith_checkpoint'),
      'exempt_model_checkpoint_paths: "/restore/model.ckpt-30", last_checkpoint_save_timestamp: 17; builtin_hash_table_type: MULTI_CUCKOO_HASH_MAP',
    );
    await save(model.path, 1);
    await save(model.path, 2);
    await prune(model.path, 1, 1);
    const expected =
      'exempt_model_checkpoint_paths: "/restore/model.ckpt-30"\nlast_checkpoint_save_timestamp: 17\n' +
      'builtin_hash_table_type: MULTI_CUCKOO_HASH_MAP\nexempt_model_checkpoint_paths: "checkpoint-1"\n';
    assert.equal(readFileSync(join(model.path, 'monolith_checkpoint'), 'utf8'), expected);
  });
});

describe('prune', () => {
  test('keeps the newest and the best, and the state file agrees', async () => {
    for (const step of [1, 2, 3, 4, 5]) await save(model.path, step);
    assert.deepEqual(await prune(model.path, 2, 1), { steps: [2, 3], leftovers: ['checkpoint-2', 'checkpoint-3'] });
    assert.deepEqual(
      (await listCheckpoints(model.path)).map((entry) => entry.step),
      [1, 4, 5],
    );
    assert.deepEqual(readFileSync(join(model.path, 'checkpoint'), 'utf8').match(/\d+/g), ['5', '1', '4', '5']);
    for (const { path } of await listCheckpoints(model.path)) await verify(path);
    assert.deepEqual(await prune(model.path, 2, 1), { steps: [], leftovers: [] });
  });

  test('removes what crashed saves left, and nothing that is not ours', async () => {
    await save(model.path, 2);
    const foreign = [
      'checkpoint-best',
      'checkpoint-01',
      'checkpoint-3.json.bak',
      'events.out',
      'checkpoint-x.tmp',
      'metrics.tmp',
      'model.ckpt-1000',
    ];
    for (const name of [...foreign, 'checkpoint-4.json.tmp', 'checkpoint.tmp']) writeFileSync(join(model.path, name), 'x');
    for (const name of ['checkpoint-3', 'checkpoint-4.tmp', 'checkpoint-2.1', 'checkpoint-2.tmp']) mkdirSync(join(model.path, name));
    const { leftovers } = await prune(model.path, 3);
    assert.deepEqual(leftovers, [
      'checkpoint-2.1',
      'checkpoint-2.tmp',
      'checkpoint-3',
      'checkpoint-4.json.tmp',
      'checkpoint-4.tmp',
      'checkpoint.tmp',
    ]);
    assert.deepEqual(names(), [...foreign, 'checkpoint', 'checkpoint-2', 'checkpoint-2.json', 'monolith_checkpoint'].sort());
  });

  test('never deletes what was just written, nor counts a damaged checkpoint among the kept', async () => {
    for (const step of [1, 2, 3]) await save(model.path, step);
    writeFileSync(join(model.path, 'checkpoint-3.json'), '{}');
    await prune(model.path, 1);
    assert.deepEqual(
      (await listCheckpoints(model.path)).map((entry) => entry.step),
      [2, 3],
    );
    assert.ok(existsSync(join(model.path, 'checkpoint-3', 'dense')), 'sections of an unreadable manifest stay');
    await save(model.path, 1);
    await prune(model.path, 1);
    assert.ok((await listCheckpoints(model.path)).some((entry) => entry.step === 1));
    assert.equal((await failureOf(() => prune(model.path, 0))).code, 'InvalidArgument');
  });

  test('a fresh start removes all checkpoints and only them', async () => {
    for (const step of [1, 2]) await save(model.path, step);
    writeFileSync(join(model.path, 'metrics.csv'), 'x');
    await removeAllCheckpoints(model.path);
    assert.deepEqual(names(), ['metrics.csv']);
  });
});
