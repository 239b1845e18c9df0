import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CheckpointWriter, verify } from '../../src/checkpoint/index.js';
import { Figure } from '../helpers/board.js';
import { failureOf, save, temporaryModelDir } from './fixture.js';

const fullDisks = new Figure('R5', 'disks really full: DiskFull with path and bytes, room lets it go on');

describe('a disk that is really full', () => {
  test('gives DiskFull with path, needed and free bytes; with room again the next save works', async (t) => {
    const model = temporaryModelDir();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', model.path]).status === 0;
    if (!mounted) {
      model.remove();
      fullDisks.skip('no tmpfs can be mounted here');
      t.skip('needs the right to mount a tmpfs');
      return;
    }
    try {
      await fullDisks.trial(async () => {
        const ballast = join(model.path, 'ballast');
        await save(model.path, 1);
        writeFileSync(ballast, new Uint8Array(7_900_000));
        const writer = await CheckpointWriter.begin(model.path, 2);
        const error = await failureOf(async () => {
          const section = await writer.section('table');
          for (let i = 0; i < 4; i++) await section.append(new Uint8Array(1 << 20));
          await section.close();
        });
        assert.equal(error.code, 'DiskFull');
        assert.equal(error.details.path, join(model.path, 'checkpoint-2.tmp', 'table'));
        assert.ok(Number(error.details.neededBytes) > Number(error.details.freeBytes), error.message);
        assert.equal(await failureOf(() => writer.commit({})), error);
        assert.equal((await verify(model.path)).step, 1);
        assert.ok(!readdirSync(model.path).some((name) => name.includes('-2')));
        rmSync(ballast);
        await save(model.path, 2);
        assert.equal((await verify(model.path)).step, 2);
      });
    } finally {
      spawnSync('umount', [model.path]);
      model.remove();
    }
  });
});
