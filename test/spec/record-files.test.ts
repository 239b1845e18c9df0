import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { FileCloseHook, readTfRecords, WritableFile } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-files-'));
after(() => rmSync(folder, { recursive: true }));

/** An EntryDump whose fields are id (sfixed64, 1) and num (float, 2), each number with its own tag. */
function readEntryDump(payload: Uint8Array): { id: bigint; num: number[] } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  assert.equal(view.getUint8(0), 9);
  const num: number[] = [];
  for (let at = 9; at < payload.length; at += 5) {
    assert.equal(view.getUint8(at), 0x15);
    num.push(view.getFloat32(at + 1, true));
  }
  return { id: view.getBigInt64(1, true), num };
}

describe('#6a files that are written', () => {
  test('#6a two items are read back as two entries, each with its bias and its row', async () => {
    const path = join(folder, 'new/folder/entries');
    const file = await WritableFile.open(path);
    await file.appendEntryDump([101n, 202n], [0.1, 0.2], [1, 2, 3, 4, 5, 6]);
    await file.close();
    const entries: unknown[] = [];
    for await (const { payload } of readTfRecords(path)) entries.push(readEntryDump(payload));
    assert.deepEqual(entries, [
      { id: 101n, num: [Math.fround(0.1), 1, 2, 3] },
      { id: 202n, num: [Math.fround(0.2), 4, 5, 6] },
    ]);
  });

  test('#6a the bytes of one record', async () => {
    const path = join(folder, 'one');
    const file = await WritableFile.open(path);
    await file.appendEntryDump(BigInt64Array.of(101n), Float32Array.of(0.1), Float32Array.of(1, 2, 3));
    await file.close();
    const payload = '096500000000000000' + '15cdcccc3d' + '150000803f' + '1500000040' + '1500004040';
    assert.equal(readFileSync(path).toString('hex'), `1d00000000000000602fdf23${payload}b9e3a8e6`);
  });

  test('#6a shapes that do not fit are refused, and nothing is written', async () => {
    const path = join(folder, 'refused');
    const file = await WritableFile.open(path);
    for (const [ids, bias, embedding, message] of [
      [[], [], [], /item_id must be non-empty/],
      [[1n, 2n], [1], [1, 2], /bias must have the same length as item_id/],
      [[1n, 2n], [1, 2], [1, 2, 3], /embedding length must be divisible by batch size/],
    ] as [bigint[], number[], number[], RegExp][]) {
      await assert.rejects(file.appendEntryDump(ids, bias, embedding), { code: 'InvalidInput', message });
    }
    await file.close();
    assert.equal(readFileSync(path).length, 0);
  });

  test('#6a a file is emptied at first, bytes go in the order of the calls, closing twice is closing once', async () => {
    const path = join(folder, 'bytes');
    writeFileSync(path, 'what was there before');
    const file = await WritableFile.open(path);
    await Promise.all(['a', 'bc', 'd'].map((text) => file.append(Buffer.from(text))));
    await Promise.all([file.close(), file.close()]);
    await file.close();
    assert.equal(readFileSync(path, 'utf8'), 'abcd');
  });

  test('#6a appending after closing is a broken pipe', async () => {
    const file = await WritableFile.open(join(folder, 'closed'));
    await file.close();
    await assert.rejects(file.append(Buffer.from('x')), { code: 'BrokenPipe', message: /file is closed/ });
    await assert.rejects(file.appendEntryDump([1n], [1], [1]), { code: 'BrokenPipe' });
  });

  test('#6a FileCloseHook closes all its files, also where one fails', async () => {
    const paths = ['x', 'y'].map((name) => join(folder, name));
    const files = await Promise.all(paths.map((path) => WritableFile.open(path)));
    const broken = { close: () => Promise.reject(new Error('will not close')) };
    const [first, second] = files;
    assert.ok(first !== undefined && second !== undefined);
    await assert.rejects(new FileCloseHook([first, broken, second]).close(), /will not close/);
    for (const file of files) await assert.rejects(file.append(Buffer.from('z')), { code: 'BrokenPipe' });
    assert.ok(paths.every((path) => existsSync(path)));
  });
});
