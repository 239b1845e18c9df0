import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type MonolithError, SeededRandom } from '../../src/base/index.js';
import { type CheckpointEntry, newestGood, openCheckpoint, verify } from '../../src/checkpoint/index.js';
import { decodeManifest } from '../../src/checkpoint/manifest.js';
import { Figure, isLong } from '../helpers/board.js';
import { failureOf, save, temporaryModelDir } from './fixture.js';

const flips = new Figure('R20', 'bit flips detected and named');
const refusals = new Figure('R21', 'truncations and mixed-up files refused');

/** Bytes of a section that are flipped, and lengths that it is cut to. */
const FLIPS = isLong ? 20_000 : 2000;
const CUTS = isLong ? 5000 : 500;

const model = temporaryModelDir();
/** Holds checkpoint-20 alone: the tests of many damages run there, since finding the way out costs as much as finding the damage. */
const lone = temporaryModelDir();
const manifestPath = join(model.path, 'checkpoint-20.json');
const sectionPath = join(model.path, 'checkpoint-20', 'table-0');
let manifest: Buffer;
let section: Buffer;

before(async () => {
  await save(model.path, 10);
  await save(model.path, 20);
  manifest = readFileSync(manifestPath);
  section = readFileSync(sectionPath);
  await save(lone.path, 20);
});
after(() => {
  model.remove();
  lone.remove();
});

/** As {@link damaged}, in the folder without an older checkpoint. */
async function damagedAlone(file: string, original: Buffer, bytes: Buffer): Promise<MonolithError> {
  const path = join(lone.path, file);
  writeFileSync(path, bytes);
  try {
    const error = await failureOf(() => verify(join(lone.path, 'checkpoint-20')));
    assert.equal(error.code, 'CheckpointCorrupt', error.message);
    return error;
  } finally {
    writeFileSync(path, original);
  }
}

/** Damages one file, expects that verifying says so and offers checkpoint-10, and puts the file back. */
async function damaged(path: string, original: Buffer, damage: () => void): Promise<MonolithError> {
  damage();
  try {
    const error = await failureOf(() => verify(join(model.path, 'checkpoint-20')));
    assert.equal(error.code, 'CheckpointCorrupt', error.message);
    assert.equal(error.details.newestGood, 'checkpoint-10');
    assert.match(error.message, /Newest good checkpoint: checkpoint-10 \(to resume from it, delete checkpoint-20\.json\)$/);
    return error;
  } finally {
    writeFileSync(path, original);
  }
}

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] ^= 1 << bit;
  return copy;
}

describe('a flipped bit', () => {
  test('anywhere in the manifest is detected', async () => {
    for (let at = 0; at < manifest.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        assert.throws(() => decodeManifest(flipped(manifest, at, bit), 20), { code: 'CheckpointCorrupt' }, `byte ${at}, bit ${bit}`);
      }
      await flips.trial(async () => {
        const error = await damagedAlone('checkpoint-20.json', manifest, flipped(manifest, at, at % 8));
        assert.equal(error.details.file, 'checkpoint-20.json');
        assert.equal(error.details.block, 0);
      });
    }
  });

  test('in a section is detected, and file, block, bytes and both checksums are named', async () => {
    const random = new SeededRandom(20);
    const dataLength = 65536 + 9000;
    const offsets = Array.from({ length: FLIPS }, () => random.nextBelow(dataLength));
    offsets.push(0, 65535, 65536, dataLength - 1);
    for (let at = dataLength; at < section.length; at++) offsets.push(at);
    for (const at of offsets) {
      const error = await flips.trial(async () => {
        const found = await damagedAlone('checkpoint-20/table-0', section, flipped(section, at, at % 8));
        assert.equal(found.details.file, 'checkpoint-20/table-0');
        return found;
      });
      if (at >= dataLength) continue;
      const block = Math.floor(at / 65536);
      const bytes = `${block * 65536}–${Math.min((block + 1) * 65536, dataLength) - 1}`;
      const form = new RegExp(
        `^checkpoint-20/table-0 block ${block} \\(bytes ${bytes}\\): crc32c 0x[0-9a-f]{8}, footer says 0x[0-9a-f]{8}\\. No older good`,
      );
      assert.match(error.message, form);
      assert.equal(error.details.block, block);
    }
  });

  test('stops reading before the damaged bytes are handed out, and names the way out', async () => {
    writeFileSync(sectionPath, flipped(section, 70_000, 3));
    try {
      const reader = await openCheckpoint(join(model.path, 'checkpoint-20'));
      for (const act of [
        () => reader.section('table-0').readAll(),
        async () => {
          for await (const _ of reader.section('table-0').pieces()) assert.fail('handed out');
        },
      ]) {
        assert.match((await failureOf(act)).message, /block 1 .*Newest good checkpoint: checkpoint-10/);
      }
      const passedOver: string[] = [];
      const onDamaged = (entry: CheckpointEntry) => passedOver.push(entry.name);
      assert.equal((await newestGood(model.path, { onDamaged }))?.step, 10);
      assert.deepEqual(passedOver, ['checkpoint-20']);
      assert.equal((await newestGood(model.path, { structureOnly: true }))?.step, 20);
    } finally {
      writeFileSync(sectionPath, section);
    }
  });

  test('with no older checkpoint says so', async () => {
    const other = temporaryModelDir();
    try {
      const path = await save(other.path, 1);
      writeFileSync(path, '{}');
      const error = await failureOf(() => openCheckpoint(path));
      assert.match(error.message, /No older good checkpoint in .*--fresh$/);
      assert.equal(error.details.newestGood, null);
    } finally {
      other.remove();
    }
  });
});

describe('a file that is cut off, missing or another checkpoint’s', () => {
  test('a manifest of any shorter length is refused', async () => {
    for (let length = 0; length < manifest.length; length++) {
      await refusals.trial(() => assert.throws(() => decodeManifest(manifest.subarray(0, length), 20), { code: 'CheckpointCorrupt' }));
      if (length % 50 === 0) await damaged(manifestPath, manifest, () => truncateSync(manifestPath, length));
    }
  });

  test('a section of any shorter length is refused, naming both lengths; so is a longer one', async () => {
    const random = new SeededRandom(21);
    const lengths = Array.from({ length: CUTS }, () => random.nextBelow(section.length));
    for (const length of [0, 1, 65536, section.length - 1, ...lengths]) {
      const error = await refusals.trial(() => damagedAlone('checkpoint-20/table-0', section, section.subarray(0, length)));
      assert.match(
        error.message,
        new RegExp(`^checkpoint-20/table-0 is cut off in or after block \\d: ${length} bytes, expected ${section.length} `),
      );
    }
    const doubled = Buffer.concat([section, section]);
    const error = await refusals.trial(() => damaged(sectionPath, section, () => writeFileSync(sectionPath, doubled)));
    assert.match(error.message, /table-0 is too long/);
  });

  test('a missing section is named', async () => {
    const error = await refusals.trial(() => damaged(sectionPath, section, () => rmSync(sectionPath)));
    assert.match(error.message, /^checkpoint-20\/table-0 is missing\./);
  });

  test('sections swapped between two checkpoints are found without reading the data', async () => {
    for (const name of ['table-0', 'dense']) {
      const mine = join(model.path, 'checkpoint-20', name);
      const other = join(model.path, 'checkpoint-10', name);
      const bytes = readFileSync(mine);
      copyFileSync(other, mine);
      try {
        const error = await refusals.trial(() => failureOf(() => openCheckpoint(manifestPath)));
        assert.match(error.message, new RegExp(`checkpoint-20/${name} belongs to another checkpoint .* manifest says 0x`));
      } finally {
        writeFileSync(mine, bytes);
      }
    }
  });

  test('a manifest under the name of another step is refused', async () => {
    const swap = (): void => copyFileSync(join(model.path, 'checkpoint-10.json'), manifestPath);
    const error = await refusals.trial(() => damaged(manifestPath, manifest, swap));
    assert.match(error.message, /checkpoint-20\.json is the manifest of step 10 under another name/);
  });

  test('a folder of sections under another name is missed', async () => {
    renameSync(join(model.path, 'checkpoint-20'), join(model.path, 'moved'));
    try {
      assert.match((await failureOf(() => openCheckpoint(manifestPath))).message, /checkpoint-20\/table-0 is missing/);
    } finally {
      renameSync(join(model.path, 'moved'), join(model.path, 'checkpoint-20'));
    }
    await verify(manifestPath);
  });
});
