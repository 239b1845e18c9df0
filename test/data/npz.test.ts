// .npz files in training, as numpy writes them.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import type { PipelineOptions } from '../../src/data/index.js';
import { crc32 } from '../../src/data/npz/crc32.js';
import { halfFloat, parseNpyHeader } from '../../src/data/npz/npy.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { type Row, readRows, readSteps, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
const skip = hasNumpy ? false : 'absent: python3 has no numpy';

/** Everything numpy makes for these tests, in one go. */
if (hasNumpy) {
  execFileSync('python3', [
    '-c',
    `
import numpy as np, sys, zipfile
out = sys.argv[1] + '/'
n = 3000
i = np.arange(n)
users = np.array(['user%d' % (k % 17) if k % 5 else 'ü😀' for k in i])
common = dict(y=(i % 3 == 0), x=((i * 37) % 101).astype('f4'), user=users, tags=np.stack([i % 7, i % 5, i * 0], 1).astype('u2'),
              z=((i * 11) % 150).astype('i8'), w=np.full(n, 0.5))
np.savez(out + 'stored.npz', **common)
np.savez_compressed(out + 'deflated.npz', **common)
swapped = {k: (v if v.dtype.kind == 'b' else v.astype(v.dtype.newbyteorder('>'))) for k, v in common.items()}
np.savez(out + 'big-endian.npz', **swapped)
with open(out + 'same.csv', 'w') as f:
    f.write('y,x,user,tags,z,w\\n')
    for k in range(n):
        f.write('%d,%d,%s,%s,%d,0.5\\n' % (common['y'][k], common['x'][k], users[k], '|'.join(map(str, common['tags'][k])), common['z'][k]))
kinds = ['i1','i2','i4','i8','u1','u2','u4','u8','f2','f4','f8']
vals = {k: np.array([0, 1, 100, 0], dtype=k) for k in kinds}
for k in kinds:
    info = np.iinfo(k) if k[0] != 'f' else np.finfo(k)
    vals[k][3] = info.max
vals['S3'] = np.array([b'abc', b'', b'a\\xff', b'x'], dtype='S3')
vals['b'] = np.array([True, False, True, True])
vals['f2x'] = np.array([[0.5, -2], [6e-8, 65504], [np.inf, -0.0], [1.25, np.nan]], dtype='f2')
np.savez(out + 'kinds.npz', **vals)
np.savez(out + 'unlike.npz', a=np.zeros(3), b=np.zeros(4))
np.savez(out + 'fortran.npz', a=np.asfortranarray(np.zeros((3, 2))))
np.savez(out + 'cube.npz', a=np.zeros((3, 2, 2)))
np.savez(out + 'scalar.npz', a=np.float64(1))
np.savez(out + 'objects.npz', a=np.array([{}, 1], dtype=object))
np.savez(out + 'fields.npz', a=np.zeros(3, dtype=[('x', 'f4'), ('y', 'i4')]))
np.savez(out + 'dates.npz', a=np.zeros(3, dtype='M8[s]'))
np.savez(out + 'empty.npz', y=np.zeros(0), user=np.zeros(0, dtype='i8'))
np.savez_compressed(out + 'small.npz', y=np.arange(6) % 2.0, user=np.arange(6))
np.savez(out + 'small-stored.npz', y=np.arange(6) % 2.0, user=np.arange(6))
`,
    folder,
  ]);
}
const at = (name: string): string => join(folder, name);

const schema: FeatureSchema = {
  label: { column: 'y' },
  weight: { column: 'w' },
  features: [
    { name: 'x', type: 'numeric', transform: 'log1p' },
    { name: 'user', type: 'categorical' },
    { name: 'tags', type: 'categorical', separator: '|', maxLength: 2 },
    { name: 'z', type: 'bucketized', boundaries: [0, 10, 100] },
  ],
};
const base: Partial<PipelineOptions> = { schema, shuffle: 0, batchSize: 512 };

for (const name of ['stored', 'deflated', 'big-endian']) {
  test(`${name}: the same examples as in CSV, from any position`, { skip }, async () => {
    const files = [at(`${name}.npz`)];
    assert.deepEqual(await readRows({ ...base, files }), await readRows({ ...base, files: [at('same.csv')] }));
    const shuffled = { ...base, files, shuffle: 700, blockBytes: 16384, epochs: 2 };
    const whole = await readSteps(shuffled);
    for (const step of [1, 5, 8]) assert.deepEqual((await readSteps(shuffled, whole.positions[step])).hashes, whole.hashes.slice(step));
  });
}

test('the format is told by the first bytes', { skip }, async () => {
  const path = write(folder, 'any.thing', readFileSync(at('deflated.npz')));
  assert.equal(await withPipeline({ ...base, files: [path] }, async (pipeline) => pipeline.stats().format), 'npz');
  await assert.rejects(readRows({ ...base, files: [path], format: 'csv' }), {
    code: 'DataFormat',
    message: /is an \.npz file, the format is csv/,
  });
  await assert.rejects(readRows({ ...base, files: [at('same.csv')], format: 'npz' }), { code: 'DataFormat', message: /is no \.npz file/ });
});

test('items of every type, and columns of a matrix by number', { skip }, async () => {
  const read = async (column: string): Promise<Row[]> =>
    readRows({ ...base, files: [at('kinds.npz')], schema: { label: { column: 'b' }, features: [{ name: 'v', column, type: 'numeric' }] } });
  const numbers = async (column: string): Promise<number[]> => (await read(column)).map((row) => row.dense[0] as number);
  for (const [type, most] of [
    ['i1', 127],
    ['i2', 32767],
    ['i4', 2 ** 31 - 1],
    ['i8', 2 ** 63],
    ['u1', 255],
    ['u2', 65535],
    ['u4', 2 ** 32 - 1],
    ['u8', 2 ** 64],
    ['f2', 65504],
  ] as const)
    assert.deepEqual(await numbers(type), [0, 1, 100, Math.fround(most)], type);
  assert.deepEqual(await numbers('b'), [1, 0, 1, 1]);
  assert.deepEqual(await numbers('f2x[0]'), [0.5, Math.fround(2 ** -24), Number.POSITIVE_INFINITY, 1.25]);
  assert.deepEqual(await numbers('f2x[1]'), [-2, 65504, -0, Number.NaN]);
  const ids = async (column: string): Promise<Row[]> =>
    readRows({
      ...base,
      files: [at('kinds.npz')],
      schema: { label: { column: 'b' }, features: [{ name: 'v', column, type: 'categorical' }] },
    });
  const texts = async (...cells: string[]): Promise<string[][][]> => {
    const rows = await readRows({
      ...base,
      files: [write(folder, 'cells.csv', Buffer.from(`b,v\n${cells.map((cell) => `1,${cell}`).join('\n')}\n`, 'latin1'))],
      schema: { label: { column: 'b' }, features: [{ name: 'v', type: 'categorical' }] },
    });
    return rows.map(({ bags }) => bags);
  };
  const bags = async (column: string): Promise<string[][][]> => (await ids(column)).map((row) => row.bags);
  assert.deepEqual(await bags('i8'), await texts('0', '1', '100', '9223372036854775807'));
  assert.deepEqual(await bags('u8'), await texts('0', '1', '100', '18446744073709551615'));
  assert.deepEqual(await bags('S3'), await texts('abc', '', 'a\xff', 'x'));
  await assert.rejects(ids('f4'), { code: 'DataFormat', message: /kinds\.npz record 1 .*feature "f4" holds floats/ });
  await assert.rejects(read('f2x'), { code: 'DataFormat', message: /feature "f2x" holds 2 values/ });
  await assert.rejects(read('nothing'), { code: 'InvalidConfig', message: /wants column "nothing", the file has \d+ columns: i1, i2/ });
});

test('files that can not be read as records say why', { skip }, async () => {
  for (const [name, code, message] of [
    ['unlike', 'DataFormat', /array b has 4 rows, array a has 3/],
    ['fortran', 'DataFormat', /array a: is in Fortran order; save np\.ascontiguousarray/],
    ['cube', 'DataFormat', /array a: has 3 dimensions/],
    ['scalar', 'DataFormat', /array a: has 0 dimensions/],
    ['objects', 'DataFormat', /array a: holds Python objects/],
    ['fields', 'DataFormat', /array a: is of a structured type/],
    ['dates', 'DataFormat', /array a: is of type <M8/],
    ['empty', 'DataNotFound', /no examples/],
  ] as const)
    await assert.rejects(readRows({ ...base, schema: small, files: [at(`${name}.npz`)] }), (error: Error) => {
      assert.ok(error instanceof MonolithError && error.code === code, `${name}: ${String(error)}`);
      assert.match(error.message, message);
      return true;
    });
});

const small: FeatureSchema = { label: { column: 'y' }, features: [{ name: 'user', type: 'categorical' }] };

for (const name of ['small', 'small-stored']) {
  test(`${name}: cut at any byte, or with any bit changed, it is an error or reads the same`, { skip }, async () => {
    const bytes = readFileSync(at(`${name}.npz`));
    const options = { ...base, schema: small, format: 'npz' as const };
    const whole = await readRows({ ...options, files: [at(`${name}.npz`)] });
    const outcome = async (changed: Uint8Array): Promise<unknown> =>
      readRows({ ...options, files: [write(folder, 'changed.npz', changed)] }).catch((error: unknown) => error);
    for (let length = 0; length < bytes.length; length += 17) {
      const result = await outcome(bytes.subarray(0, length));
      assert.ok(result instanceof MonolithError && ['RecordCorrupt', 'DataFormat'].includes(result.code), `${length}: ${String(result)}`);
    }
    let same = 0;
    for (let i = 0; i < bytes.length; i += 11) {
      const changed = Buffer.from(bytes);
      changed[i] ^= 1 << (i % 8);
      const result = await outcome(changed);
      if (result instanceof Error) assert.ok(result instanceof MonolithError && result.code !== 'Internal', `${i}: ${String(result)}`);
      else {
        // Dates, versions and attributes of the zip file, and the header's padding, mean nothing.
        assert.deepEqual(result, whole, `byte ${i}`);
        same++;
      }
    }
    assert.ok(same < bytes.length / 22, `${same} of ${bytes.length}`);
  });
}

test('checksums, halves and headers', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  assert.equal(crc32(Buffer.from('6789'), crc32(Buffer.from('12345'))), 0xcbf43926);
  assert.deepEqual([0x3c00, 0xc000, 1, 0x7c00, 0x03ff].map(halfFloat), [1, -2, 2 ** -24, Number.POSITIVE_INFINITY, 1023 * 2 ** -24]);
  const header = (dict: string): Uint8Array =>
    Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.of(dict.length, 0), Buffer.from(dict)]);
  const array = parseNpyHeader(header("{'descr': '<U5', 'fortran_order': False, 'shape': (7, 2), }\n"), 'a', 'f');
  assert.deepEqual([array.itemBytes, array.rows, array.width, array.isList, array.headerBytes], [20, 7, 2, true, 70]);
  for (const dict of [
    "{'descr': '<i3', 'fortran_order': False, 'shape': (7,)}",
    "{'descr': '<i4', 'shape': (7,)}",
    '',
    "{'descr': '<i4', 'fortran_order': False, 'shape': (-7,)}",
  ])
    assert.throws(() => parseNpyHeader(header(dict), 'a', 'f'), { code: 'DataFormat' });
});
