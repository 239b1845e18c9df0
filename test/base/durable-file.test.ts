import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  armFailpoint,
  armFailpoints,
  countFailpoints,
  DurableWriter,
  disarmAll,
  failpoint,
  failpointCounts,
  MonolithError,
  makeFolderDurable,
  pageAlignedBuffer,
  writeFileDurable,
} from '../../src/base/index.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'durable-file-'));
});
afterEach(() => {
  disarmAll();
  rmSync(folder, { recursive: true, force: true });
});

async function failure(act: () => Promise<unknown>): Promise<MonolithError> {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof MonolithError, String(error));
    return error;
  }
  return assert.fail('expected an error');
}

describe('durable-file', () => {
  test('replaces a file and leaves no temporary one', async () => {
    const path = join(folder, 'state');
    await writeFileDurable(path, 'old');
    await writeFileDurable(path, new TextEncoder().encode('new'));
    assert.equal(readFileSync(path, 'utf8'), 'new');
    assert.deepEqual(readdirSync(folder), ['state']);
  });

  test('whichever operation fails, the old or the new content is there whole', async () => {
    const path = join(folder, 'state');
    writeFileSync(path, 'old');
    countFailpoints();
    await writeFileDurable(path, 'old');
    const operations = failpointCounts().get('durable-file.operation') ?? 0;
    assert.ok(operations >= 6, `open, write, fsync, close, rename, fsyncFolder; counted ${operations}`);
    for (let n = 1; n <= operations; n++) {
      for (const action of ['eio', 'enospc'] as const) {
        writeFileSync(path, 'old');
        disarmAll();
        armFailpoint('durable-file.operation', action, n);
        const error = await failure(() => writeFileDurable(path, 'new'));
        assert.equal(error.code, action === 'eio' ? 'WriteFailed' : 'DiskFull');
        // Only the last operation, the flush of the folder, comes after the new name is visible.
        assert.equal(readFileSync(path, 'utf8'), n === operations ? 'new' : 'old', `operation ${n}`);
        assert.deepEqual(readdirSync(folder), ['state'], `operation ${n}`);
      }
    }
  });

  test('a full disk names the path, the needed and the free bytes', async () => {
    const writer = await DurableWriter.create(join(folder, 'rows'));
    armFailpoint('durable-file.write', 'short-write', 1);
    const error = await failure(() => writer.append(new Uint8Array(1000)));
    assert.equal(error.code, 'DiskFull');
    assert.equal(error.details.path, join(folder, 'rows'));
    assert.equal(error.details.neededBytes, 500);
    assert.ok(typeof error.details.freeBytes === 'number' && error.details.freeBytes > 0);
    assert.match(error.message, /needed 500 more bytes, \d+ bytes free/);
    await writer.discard();
    assert.deepEqual(readdirSync(folder), []);
  });

  test('a folder that can not be made says why', async () => {
    writeFileSync(join(folder, 'file'), '');
    const error = await failure(() => makeFolderDurable(join(folder, 'file', 'below')));
    assert.equal(error.code, 'WriteFailed');
    assert.match(error.message, /can't create folder: ENOTDIR.*A part of the path is a file/);
  });

  test('writes from shared memory', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(5));
    shared.set([1, 2, 3, 4, 5]);
    const writer = await DurableWriter.create(join(folder, 'shared'));
    await writer.append(shared);
    await writer.close();
    await writer.close();
    assert.deepEqual([...readFileSync(join(folder, 'shared'))], [1, 2, 3, 4, 5]);
    assert.equal(writer.bytesWritten, 5);
  });
});

describe('direct appends', () => {
  const made = (length: number, offset = 0): Uint8Array => {
    const bytes = new Uint8Array(pageAlignedBuffer(length + offset), offset, length);
    for (let i = 0; i < length; i++) bytes[i] = (i * 2654435761) >>> 11;
    return bytes;
  };

  test('leave the same bytes as others, whatever their number and place, and more can follow', async () => {
    for (const [length, offset] of [[0], [1], [4095], [4096], [4097], [300_001], [70_000, 1], [70_000, 8]]) {
      const path = join(folder, `direct-${length}-${offset}`);
      const bytes = made(length, offset);
      const writer = await DurableWriter.create(path);
      const direct = await writer.appendDirect(bytes);
      assert.ok(direct % 4096 === 0 && direct <= length, `${direct} of ${length}`);
      await writer.append(Uint8Array.of(7, 8));
      assert.equal(await writer.appendDirect(Uint8Array.of(9)), 0, 'first bytes only');
      await writer.close();
      assert.ok(readFileSync(path).equals(Buffer.concat([bytes, Uint8Array.of(7, 8, 9)])), `${length} at ${offset}`);
      assert.equal(writer.bytesWritten, length + 3);
    }
  });

  test('go past the page cache where the file system lets them', async (t) => {
    const { O_CREAT, O_DIRECT, O_WRONLY } = constants;
    try {
      const fd = openSync(join(folder, 'probe'), O_CREAT | O_WRONLY | O_DIRECT);
      writeSync(fd, made(4096));
      closeSync(fd);
    } catch {
      return t.skip('no direct writes here');
    }
    const writer = await DurableWriter.create(join(folder, 'direct'));
    assert.equal(await writer.appendDirect(made(10_000)), 8192);
    await writer.close();
  });

  test('that meet a full disk or a device error say so', async () => {
    for (const [action, code] of [
      ['short-write', 'DiskFull'],
      ['enospc', 'DiskFull'],
      ['eio', 'WriteFailed'],
    ] as const) {
      disarmAll();
      armFailpoint('durable-file.write', action, 1);
      const writer = await DurableWriter.create(join(folder, action));
      assert.equal((await failure(() => writer.appendDirect(made(40_000)))).code, code, action);
      await writer.discard();
    }
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('failpoints', () => {
  test('do nothing unless armed, and only at the occurrence named', () => {
    assert.equal(failpoint('test.here'), null);
    armFailpoints('test.here=drop@2, test.there=throw, test.after=duplicate@2+');
    assert.deepEqual([failpoint('test.here'), failpoint('test.here'), failpoint('test.here')], [null, 'drop', null]);
    assert.throws(() => failpoint('test.there'), /test\.there/);
    assert.throws(() => failpoint('test.there'), /test\.there/);
    assert.deepEqual([failpoint('test.after'), failpoint('test.after'), failpoint('test.after')], [null, 'duplicate', 'duplicate']);
    assert.equal(failpointCounts().get('test.here'), 3);
    disarmAll();
    assert.equal(failpoint('test.there'), null);
  });

  test('refuse a list that can not be read', () => {
    for (const list of ['x', 'x=explode', 'x=kill@0', 'x=kill@1x', 'a b=kill']) {
      assert.throws(() => armFailpoints(list), /MONOLITH_LOCAL_FAILPOINTS: can't read/);
    }
  });
});
