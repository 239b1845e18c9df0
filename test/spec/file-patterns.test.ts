import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { filesFromPattern, readTfRecords, TfRecordWriter } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-patterns-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
for (const name of ['b.tfrecord', 'a.tfrecord', 'c.txt', 'deep/d.tfrecord']) {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), '');
}

async function refusal(pattern: string): Promise<{ code: string; message: string }> {
  return filesFromPattern(pattern).then(
    () => assert.fail('nothing was refused'),
    (error: { code: string; message: string }) => error,
  );
}

describe('#5i files of a pattern', () => {
  test('#5i a glob and a path that it matches are two files, sorted', async () => {
    assert.deepEqual(await filesFromPattern(`${folder}/*.tfrecord,${at('a.tfrecord')}`), [at('a.tfrecord'), at('b.tfrecord')]);
    assert.deepEqual(await filesFromPattern(`${at('b.tfrecord')} ,, ${at('a.tfrecord')},`), [at('a.tfrecord'), at('b.tfrecord')]);
    assert.deepEqual(await filesFromPattern(`${at('a.tfrecord')},${folder}/./a.tfrecord`), [at('a.tfrecord')]);
  });

  test('#5i @list: a path and an overlapping glob, blank lines and # lines, commas not split', async () => {
    writeFileSync(at('comma,name.tfrecord'), '');
    writeFileSync(at('list'), `\n# all\n  ${at('a.tfrecord')}  \r\n${folder}/[ab].tfrecord\n`);
    assert.deepEqual(await filesFromPattern(`@${at('list')}`), [at('a.tfrecord'), at('b.tfrecord')]);
    writeFileSync(at('list2'), at('comma,name.tfrecord'));
    assert.deepEqual(await filesFromPattern(`@${at('list2')}, ${at('c.txt')}`), [at('c.txt'), at('comma,name.tfrecord')]);
    rmSync(at('comma,name.tfrecord'));
    assert.match((await refusal(`@${at('nowhere')}`)).message, /nowhere: the list of files can't be read \(ENOENT\)/);
  });

  test('#5i entries of a list are relative to the working directory', async () => {
    writeFileSync(at('list3'), 'deep/*.tfrecord\n');
    const before = process.cwd();
    process.chdir(folder);
    try {
      assert.deepEqual(await filesFromPattern('@deep/../list3'), ['deep/d.tfrecord']);
    } finally {
      process.chdir(before);
    }
  });

  test('#5i braces are alternatives, and ** goes into folders', async () => {
    assert.deepEqual(await filesFromPattern(`${folder}/{b.tfrecord,c.*,x}`), [at('b.tfrecord'), at('c.txt')]);
    assert.deepEqual(await filesFromPattern(`${folder}/**/?.tfrecord`), [at('a.tfrecord'), at('b.tfrecord'), at('deep/d.tfrecord')]);
  });

  test('#5i paths without a file are left out, and told to who asks; nothing left is not found', async () => {
    const missing: string[] = [];
    const files = await filesFromPattern(`${at('typo.tfrecord')},${at('a.tfrecord')},${folder}/*.zip`, (term) => missing.push(term));
    assert.deepEqual(files, [at('a.tfrecord')]);
    assert.deepEqual(missing, [at('typo.tfrecord'), `${folder}/*.zip`]);
    const error = await refusal(at('none*'));
    assert.equal(error.code, 'DataNotFound');
    assert.ok(error.message.startsWith(`No files matched pattern: ${at('none*')}`));
    assert.equal((await refusal(folder)).code, 'DataNotFound');
  });

  test('#5i a bracket or brace that is never closed is refused', async () => {
    for (const pattern of ['a[bc', 'x{a,b', '[']) {
      const error = await refusal(pattern);
      assert.equal(error.code, 'InvalidConfig');
      assert.match(error.message, /never closed/);
    }
  });
});

describe('#5i frames', () => {
  test('#5i lengths and payloads with masked checksums, checked to the byte', async () => {
    const path = at('frames.tfrecord');
    const writer = await TfRecordWriter.open(path);
    await writer.append(Buffer.from('123456789'));
    await writer.append(new Uint8Array(0));
    await writer.close();
    const read = async (file: string): Promise<string[]> => {
      const records: string[] = [];
      for await (const { payload, byte, record } of readTfRecords(file))
        records.push(`${record} ${byte} ${Buffer.from(payload).toString()}`);
      return records;
    };
    assert.deepEqual(await read(path), ['1 0 123456789', '2 25 ']);
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(path);
    assert.equal(bytes.toString('hex', 21, 25), 'e5b08ac7');
    assert.equal(bytes.toString('hex', 25), '0000000000000000' + '29039807' + 'd8ea82a2');
    for (let cut = 1; cut < bytes.length; cut++) {
      if (cut === 25) continue;
      writeFileSync(at('cut'), bytes.subarray(0, cut));
      await assert.rejects(read(at('cut')), {
        code: 'RecordCorrupt',
        message: new RegExp(`cut record ${cut < 25 ? 1 : 2} at byte ${cut < 25 ? 0 : 25}: `),
      });
    }
    for (let flip = 0; flip < bytes.length; flip++) {
      const changed = Buffer.from(bytes);
      changed[flip] ^= 4;
      writeFileSync(at('flip'), changed);
      await assert.rejects(read(at('flip')), {
        code: 'RecordCorrupt',
        message: new RegExp(`record ${flip < 25 ? 1 : 2} at byte ${flip < 25 ? 0 : 25}: `),
      });
    }
  });
});
