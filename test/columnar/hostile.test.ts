import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { MonolithError, SeededRandom } from '../../src/base/index.js';
import { checkArrowMessage } from '../../src/columnar/arrow-guard.js';
import { readAvroSchema } from '../../src/columnar/avro-schema.js';
import { crc32, crc32Table } from '../../src/columnar/crc32.js';
import { HybridDecoder } from '../../src/columnar/hybrid.js';
import { type ColumnarFormat, openColumnarFile } from '../../src/columnar/index.js';
import { checkThriftStruct } from '../../src/columnar/thrift.js';
import { tableParquet, tableRows } from '../data/columnar-table.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-columnar-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const golden = fileURLToPath(new URL('../../../test/golden/columnar', import.meta.url));
const long = process.env.MONOLITH_TEST_LONG === '1';

/** Reads all of a file; a code where it is refused. */
async function read(format: ColumnarFormat, bytes: Uint8Array): Promise<string> {
  const path = join(folder, `hostile.${format}`);
  writeFileSync(path, bytes);
  try {
    const file = await openColumnarFile(format, path);
    const all = file.fields.map((_, i) => i);
    file.groups.forEach(({ rows }, group) => {
      for (let first = 0; first < Math.min(rows, 3000); first += 500) file.read(group, first, Math.min(500, rows - first), all);
    });
    return 'read';
  } catch (error) {
    assert.ok(error instanceof MonolithError && ['RecordCorrupt', 'DataFormat'].includes(error.code), String((error as Error).stack));
    assert.ok(error.message.includes(`hostile.${format}`), error.message);
    return error.code;
  }
}

const small = tableRows(30);
const files: Record<string, () => [ColumnarFormat, Uint8Array]> = {
  snappy: () => ['parquet', tableParquet(small, { rowGroupSize: 20 })],
  gzip: () => ['parquet', tableParquet(small, { codec: 'GZIP', compressors: { GZIP: gzipSync }, textEncoding: 'DELTA_BYTE_ARRAY' })],
  brotli: () => [
    'parquet',
    tableParquet(small, { codec: 'BROTLI', compressors: { BROTLI: brotliCompressSync }, textEncoding: 'DELTA_LENGTH_BYTE_ARRAY' }),
  ],
  'zstd with checksums': () => ['parquet', new Uint8Array(readFileSync(join(golden, 'zstd.parquet')))],
  'many encodings': () => ['parquet', new Uint8Array(readFileSync(join(golden, 'lz4.parquet')))],
  'feather with LZ4': () => ['arrow', new Uint8Array(readFileSync(join(golden, 'lz4.feather')))],
  'feather with Zstandard': () => ['arrow', new Uint8Array(readFileSync(join(golden, 'zstd.feather')))],
};
for (const [name, make] of Object.entries(files)) {
  test(`${name}: cut anywhere it is refused, with any bits changed it is read or refused`, async () => {
    const [format, whole] = make();
    assert.equal(await read(format, whole), 'read');
    const random = new SeededRandom(11);
    const cuts = long ? whole.length : Math.min(whole.length, 30);
    for (let i = 0; i < cuts; i++) {
      const cut = long ? i : random.nextBelow(whole.length);
      assert.notEqual(await read(format, whole.subarray(0, cut)), 'read', `cut at ${cut}`);
    }
    for (let i = 0; i < (long ? 4000 : 30); i++) {
      const changed = whole.slice();
      // Half of them where the lengths and references are.
      const at = i % 2 === 0 ? random.nextBelow(whole.length) : whole.length - 1 - random.nextBelow(Math.min(whole.length, 2000));
      changed[at] ^= 1 << random.nextBelow(8);
      if (i % 3 === 0) changed[random.nextBelow(whole.length)] = 0xff;
      await read(format, changed);
    }
  });
}

test('a bit changed in a page with a checksum is always found', async () => {
  const whole = new Uint8Array(readFileSync(join(golden, 'snappy.parquet')));
  const { parquetMetadata } = await import('hyparquet');
  const meta = parquetMetadata(whole).row_groups[0].columns[0].meta_data;
  const end = Number(meta?.data_page_offset) + Number(meta?.total_compressed_size) - 40;
  const changed = whole.slice();
  changed[end] ^= 4;
  assert.equal(await read('parquet', changed), 'RecordCorrupt');
});

test('a Parquet footer with a hostile length is refused before it is read', async () => {
  const bytes = tableParquet(small);
  for (const length of [0xffffffff, 0x7fffffff, bytes.length, bytes.length - 11, 0]) {
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 8, length, true);
    assert.equal(await read('parquet', bytes), 'RecordCorrupt');
  }
});

test('lists of Thrift that say they are longer than their bytes are refused, and so is nesting without end', () => {
  assert.equal(checkThriftStruct(Uint8Array.of(0x15, 2, 0), 0, 3), 3);
  assert.throws(() => checkThriftStruct(Uint8Array.of(0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0), 0, 7), /a list of \d+ elements/);
  assert.throws(() => checkThriftStruct(new Uint8Array(5000).fill(0x1c), 0, 5000), /nested more than/);
  assert.throws(() => checkThriftStruct(new Uint8Array(5000).fill(0x19), 0, 5000), /nested more than|list of/);
  assert.throws(() => checkThriftStruct(Uint8Array.of(0x18, 0x80, 0x80, 0x80, 0x80, 0x08), 0, 6), /bytes wanted/);
});

test('a run is never believed to be longer than the values that are left', () => {
  const out = new Int32Array(4);
  new HybridDecoder(Uint8Array.of(8, 3), 0, 2, 2, 4).read(out, 4);
  assert.deepEqual([...out], [3, 3, 3, 3]);
  assert.throws(
    () => new HybridDecoder(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 0, 6, 1, 4).read(out, 4),
    /a run of \d+ values where 4/,
  );
  assert.throws(() => new HybridDecoder(Uint8Array.of(3), 0, 1, 2, 4).read(out, 4), /a run of 1 bytes where 0/);
  assert.throws(() => new HybridDecoder(new Uint8Array(0), 0, 0, 40, 4), /values of 40 bits/);
});

test('values may be passed over anywhere in a run', () => {
  // Bit-packed 0 … 7 twice, then a run of 5.
  const packed = [0b10001000, 0b11000110, 0b11111010];
  const bytes = Uint8Array.of(5, ...packed, ...packed, 10, 5);
  const all = new Int32Array(21);
  new HybridDecoder(bytes, 0, bytes.length, 3, 21).read(all, 21);
  assert.deepEqual([...all], [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5, 5]);
  for (let skipped = 0; skipped <= 21; skipped++) {
    const decoder = new HybridDecoder(bytes, 0, bytes.length, 3, 21);
    decoder.skip(skipped);
    const rest = new Int32Array(21 - skipped);
    decoder.read(rest, rest.length);
    assert.deepEqual([...rest], [...all.subarray(skipped)]);
  }
});

test('references of FlatBuffers that lead outside, or in circles, are refused', () => {
  assert.throws(() => checkArrowMessage(new Uint8Array(8).fill(0xff)), /outside/);
  assert.throws(() => checkArrowMessage(new Uint8Array(0)), /outside/);
});

test('an Avro schema whose types contain each other again and again is refused', () => {
  const fields = (type: unknown): unknown[] => ['a', 'b', 'c', 'd'].map((name) => ({ name, type }));
  let type: unknown = 'int';
  for (let depth = 0; depth < 12; depth++) {
    const inner = { type: 'record', name: `R${depth}`, fields: fields(type) };
    type = inner;
  }
  assert.throws(() => readAvroSchema('x.avro', JSON.stringify({ type: 'record', name: 'Root', fields: fields('R') })), /no Avro type/);
  const named = (depth: number): unknown =>
    depth === 0
      ? 'int'
      : {
          type: 'record',
          name: `N${depth}`,
          fields: [
            { name: 'a', type: named(depth - 1) },
            ...['b', 'c', 'd'].map((name) => ({ name, type: depth === 1 ? 'int' : `N${depth - 1}` })),
          ],
        };
  assert.throws(() => readAvroSchema('x.avro', JSON.stringify(named(12))), /more than 65536 parts|nested more/);
  const self = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] };
  assert.throws(() => readAvroSchema('x.avro', JSON.stringify(self)), /contains itself/);
});

test('the checksum is that of zlib', () => {
  const bytes = Buffer.from('123456789');
  assert.equal(crc32Table(bytes), 0xcbf43926);
  assert.equal(crc32(bytes), 0xcbf43926);
});
