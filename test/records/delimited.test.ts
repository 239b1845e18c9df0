import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SeededRandom } from '../../src/base/index.js';
import { BatchBuilder, type RecordField } from '../../src/records/index.js';
import { column, readTable, temporaryFolder, writeTable } from './helpers.js';

const folder = temporaryFolder();
const kindsOf = (fields: readonly RecordField[]): string[] => fields.map(({ kind, isList }) => (isList ? `${kind}[]` : kind));

describe('what is told of a text with separators', () => {
  for (const [name, separator] of [
    ['comma', ','],
    ['semicolon', ';'],
    ['bar', '|'],
    ['tab', '\t'],
  ] as const) {
    test(`the separator: ${name}`, async () => {
      const text = ['user,score,name', '7,1.5,a b', '8,2.5,c'].join('\n').replaceAll(',', separator);
      const table = await readTable(folder.write(`${name}.csv`, text), 'csv');
      assert.deepEqual(table.rows, [
        [7n, 1.5, 'a b'],
        [8n, 2.5, 'c'],
      ]);
      assert.ok(
        table.findings.some((line) => line.startsWith(`separator ${name}`)),
        table.findings.join('\n'),
      );
    });
  }

  test('a semicolon wins over the decimal commas between quotes, and over commas of one record in ten', async () => {
    const quoted = await readTable(folder.write('decimal.csv', 'a;b\n"1,5";x\n"2,5";y\n'));
    assert.deepEqual(quoted.rows, [
      ['1,5', 'x'],
      ['2,5', 'y'],
    ]);
    const lines = Array.from({ length: 30 }, (_, i) => (i % 10 === 3 ? `${i};one, two` : `${i};one`));
    assert.equal((await readTable(folder.write('few.csv', `id;text\n${lines.join('\n')}\n`))).rows.length, 30);
  });

  const text = 'name,count\nä€,1\n𝄞 clef,2\n';
  const utf16 = (big: boolean, mark: boolean): Buffer => {
    const bytes = Buffer.from((mark ? '\ufeff' : '') + text, 'utf16le');
    return big ? bytes.swap16() : bytes;
  };
  for (const [name, bytes, encoding] of [
    ['utf-8', Buffer.from(text), 'utf-8'],
    ['utf-8 with a mark', Buffer.from(`\ufeff${text}`), 'utf-8'],
    ['utf-16le with a mark', utf16(false, true), 'utf-16le'],
    ['utf-16be with a mark', utf16(true, true), 'utf-16be'],
    ['utf-16le without', utf16(false, false), 'utf-16le'],
    ['utf-16be without', utf16(true, false), 'utf-16be'],
    ['gzip', gzipSync(text), 'utf-8'],
  ] as const) {
    test(`the encoding: ${name}`, async () => {
      const table = await readTable(folder.write(`${name}.csv`, bytes));
      assert.deepEqual(
        [table.fields.map((field) => field.name), table.rows],
        [
          ['name', 'count'],
          [
            ['ä€', 1n],
            ['𝄞 clef', 2n],
          ],
        ],
      );
      assert.ok(
        table.findings.some((line) => line.startsWith(`encoding ${encoding}`)),
        table.findings.join('\n'),
      );
    });
  }

  test('the encoding latin1, and UTF-8 that breaks later is an error with its byte', async () => {
    const latin = await readTable(folder.write('latin.csv', Buffer.from('name,count\nZürich,1\n', 'latin1')));
    assert.equal(latin.rows[0][0], 'Zürich');
    assert.match(latin.findings.join('\n'), /encoding latin1 \(byte 12 is no valid UTF-8\)/);
    const path = folder.write(
      'broken.csv',
      Buffer.concat([Buffer.from(`a,b\n${'x,1\n'.repeat(400_000)}`), Buffer.from([0xff, 0x2c, 0x31, 0x0a])]),
    );
    await assert.rejects(readTable(path), { code: 'DataFormat', message: /at byte 1600004: no valid utf-8.*encoding/ });
  });

  test('the header: names above numbers, but not numbers, doubles or names that come again', async () => {
    const headerOf = async (text: string): Promise<string[]> =>
      (await readTable(folder.write('h.csv', text), 'csv')).fields.map(({ name }) => name);
    assert.deepEqual(await headerOf('a,b\n1,x\n'), ['a', 'b']);
    assert.deepEqual(await headerOf(',b\n1,x\n2,y\n'), ['column1', 'b']);
    assert.deepEqual(await headerOf('1,x\n2,y\n'), ['column1', 'column2']);
    assert.deepEqual(await headerOf('x,x\n2,y\n'), ['column1', 'column2']);
    assert.deepEqual(await headerOf('red,small\nblue,big\nred,big\n'), ['column1', 'column2']);
    assert.deepEqual(await headerOf('colour,size\nblue,big\nred,big\n'), ['colour', 'size']);
    const told = await readTable(folder.write('h.csv', '1,x\n2,y\n'), 'csv', { header: true });
    assert.deepEqual(told.rows, [[2n, 'y']]);
    const named = await readTable(folder.write('h.csv', 'p,q\n2,y\n'), 'csv', { names: 'p,q' });
    assert.deepEqual(named.rows, [[2n, 'y']]);
  });

  test('spaces around fields go where one follows every separator', async () => {
    const table = await readTable(folder.write('spaces.csv', '39, State-gov, "a, b"\n50, Private, c\n'), 'csv');
    assert.deepEqual(table.rows[0].slice(0, 2), [39n, 'State-gov']);
    assert.equal(table.rows[0][2], 'a, b');
    const kept = await readTable(folder.write('kept.csv', '39, State-gov,x\n50,Private,c\n'), 'csv');
    assert.equal(kept.rows[0][1], ' State-gov');
  });

  test('kinds: whole numbers of 64 bits exactly, floats, and texts for what a number would change', async () => {
    const text = ['a,b,c,d,e,f,g', '9223372036854775807,1,007,18446744073709551615,1e3,+1,', '-9223372036854775808,2.5,008,1,.5,2,'].join(
      '\n',
    );
    const table = await readTable(folder.write('kinds.csv', text));
    assert.deepEqual(kindsOf(table.fields), ['int64', 'float64', 'text', 'text', 'float64', 'float64', 'text']);
    assert.deepEqual(table.rows[0], [9223372036854775807n, 1, '007', '18446744073709551615', 1000, 1, null]);
  });

  test('lists by an inner separator; an empty one is not a missing one', async () => {
    const table = await readTable(folder.write('lists.csv', 'id,tags\n1,3|4\n2,5\n3,""\n4,\n'), 'csv', { listSeparator: '|' });
    assert.deepEqual(kindsOf(table.fields), ['int64', 'int64[]']);
    assert.deepEqual(column(table, 'tags'), [[3n, 4n], [5n], [], null]);
  });
});

describe('RFC 4180', () => {
  test('separators, line ends and quotes in quotes; CRLF; an empty text is not a missing one', async () => {
    const path = folder.write('rfc.csv', 'a,b\r\n"x, ""y""\r\nz",1\r\n"",2\r\n,3\r\n');
    assert.deepEqual((await readTable(path)).rows, [
      ['x, "y"\r\nz', 1n],
      ['', 2n],
      [null, 3n],
    ]);
  });

  for (const [name, text, pattern] of [
    ['a quote that is never closed', 'a,b\n1,x\n2,"y\n3,z\n', /line 3 \(record 2, byte 8\): the quote of field 2 is never closed/],
    ['text behind a closing quote', 'a,b\n1,"x"y\n', /line 2 \(record 1, byte 4\): field 2 goes on behind its closing quote: "y"/],
    ['a field too many', 'a,b\n1,x\n\n2,y,z\n', /line 4 \(record 2, byte 9\): 3 fields, expected 2 \(separator comma\)/],
  ] as const) {
    test(`${name} is an error with line, record and byte`, async () => {
      await assert.rejects(readTable(folder.write('bad.csv', text), 'csv', { header: true }), { code: 'DataFormat', message: pattern });
    });
  }

  test('a value of another kind behind the sample names line, field and the option that helps', async () => {
    const path = folder.write('late.csv', `id,n\n${Array.from({ length: 10 }, (_, i) => `${i},${i}`).join('\n')}\n10,many\n`);
    await assert.rejects(readTable(path, 'csv', { kinds: 'n=int64' }), {
      code: 'DataFormat',
      message: /line 12 \(record 11, byte 45\), field "n": expected int64, got "many".*kinds=n=text/,
    });
    assert.equal((await readTable(path)).rows[10][1], 'many');
  });

  test('an unknown option is refused with what is meant', async () => {
    await assert.rejects(readTable(folder.write('o.csv', 'a\n1\n'), 'csv', { seperator: ';' }), {
      code: 'InvalidConfig',
      message: /did you mean separator\?/,
    });
  });
});

test('what is written is read again, whatever stands in it, over the borders of chunks', async () => {
  const random = new SeededRandom(11);
  const pieces = ['a', 'ä', '𝄞', ',', '"', '\n', '\r\n', ' ', '"",', 'word '];
  const fields: RecordField[] = [
    { name: 'text, "odd"\nname', kind: 'text', isList: false },
    { name: 'n', kind: 'int64', isList: false },
    { name: 'x', kind: 'float64', isList: false },
  ];
  const builder = new BatchBuilder(fields);
  const rows: unknown[][] = [];
  for (let r = 0; r < 9000; r++) {
    const text = Array.from({ length: random.nextBelow(40) }, () => pieces[random.nextBelow(pieces.length)]).join('');
    const value = random.nextBelow(8) === 0 ? null : text;
    const n = BigInt.asIntN(64, (BigInt(random.nextBelow(2 ** 31)) << 33n) | BigInt(random.nextBelow(2 ** 31)));
    const x = random.nextNormal() * 10 ** (random.nextBelow(600) - 300);
    if (value !== null) builder.add(0, value);
    builder.add(1, n);
    builder.add(2, x);
    builder.endRow();
    rows.push([value, n, x]);
  }
  const path = folder.in('odd.csv');
  await writeTable('csv', path, [builder.take()]);
  assert.ok(readFileSync(path).length > 300_000);
  const table = await readTable(path);
  assert.equal(table.fields[0].name, fields[0].name);
  assert.deepEqual(table.rows, rows);
});

test('tsv without quotes refuses what would tear a record, and leaves no file', async () => {
  const builder = new BatchBuilder([
    { name: 'a', kind: 'text', isList: false },
    { name: 'b', kind: 'int64', isList: false },
  ]);
  builder.add(0, 'x\ty');
  builder.add(1, 1n);
  builder.endRow();
  const path = folder.in('torn.tsv');
  await assert.rejects(writeTable('tsv', path, [builder.take()]), {
    code: 'InvalidConfig',
    message: /record 1, field "a": "x\\ty" has a separator.*quotes=true/,
  });
  assert.equal(existsSync(path), false);
});
