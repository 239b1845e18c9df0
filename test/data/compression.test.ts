// Compressed files of every kind: what comes out, and what becomes of damage.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { crc32c, MonolithError, maskCrc32c } from '../../src/base/index.js';
import { detectCompression } from '../../src/data/compression/compression.js';
import { snappyDecode, snappyLength } from '../../src/data/compression/snappy.js';
import { XxHash64 } from '../../src/data/compression/xxhash64.js';
import { type ByteSource, fileInfo, openSource } from '../../src/data/index.js';
import { example, frames, readRows, smallCsv, smallSchema, temporaryFolder, write } from './helpers.js';
import { compress } from './snappy-compress.js';

const folder = temporaryFolder();
const skipZstd = spawnSync('zstd', ['--version']).error === undefined ? false : 'absent: no zstd command';

function framed(bytes: Uint8Array): Buffer {
  const chunks = [Buffer.from('ff060000734e61507059', 'hex')];
  for (let at = 0; at < bytes.length; at += 65536) {
    const piece = bytes.subarray(at, at + 65536);
    const body = at % 131072 === 0 ? compress(piece) : piece;
    const head = Buffer.alloc(8);
    head.writeUInt32LE((body === piece ? 1 : 0) + (body.length + 4) * 256, 0);
    head.writeUInt32LE(maskCrc32c(crc32c(piece)), 4);
    chunks.push(head, Buffer.from(body), Buffer.of(0xfe, 3, 0, 0, 1, 2, 3));
  }
  return Buffer.concat(chunks);
}

function sized(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

const pieces = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
const tensorflow = (bytes: Uint8Array): Buffer => Buffer.concat(pieces(bytes, 50_000).map((piece) => sized(compress(piece))));
const hadoop = (bytes: Uint8Array): Buffer =>
  Buffer.concat(
    pieces(bytes, 100_000).map((piece) => {
      const total = Buffer.alloc(4);
      total.writeUInt32BE(piece.length);
      return Buffer.concat([total, ...pieces(piece, 40_000).map((part) => sized(compress(part)))]);
    }),
  );
const zstd = (bytes: Uint8Array, ...flags: string[]): Buffer =>
  execFileSync('zstd', ['-c', ...flags], { input: bytes, maxBuffer: 1 << 28 });

type Kind = [name: string, kind: string, make: (bytes: Uint8Array) => Buffer, skip?: string | false];
const kinds: readonly Kind[] = [
  ['gzip', 'gzip', (bytes) => gzipSync(bytes)],
  ['two gzip members', 'gzip', (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 7)), gzipSync(bytes.subarray(7))])],
  ['zlib', 'zlib', (bytes) => deflateSync(bytes)],
  ['zlib without compression', 'zlib', (bytes) => deflateSync(bytes, { level: 0 })],
  ['snappy frames', 'snappy', framed],
  ["TensorFlow's snappy", 'snappy-tensorflow', tensorflow],
  ["Hadoop's snappy", 'snappy-hadoop', hadoop],
  ['zstd', 'zstd', (bytes) => zstd(bytes, '-1'), skipZstd],
  ['zstd without checksum', 'zstd', (bytes) => zstd(bytes, '-1', '--no-check'), skipZstd],
  [
    'two zstd frames',
    'zstd',
    (bytes) => Buffer.concat([zstd(bytes.subarray(0, 9), '-1'), Buffer.from('502a4d180200000000ff', 'hex'), zstd(bytes.subarray(9), '-1')]),
    skipZstd,
  ],
];

async function readAll(path: string, offset = 0): Promise<Buffer> {
  const source: ByteSource = await openSource(await fileInfo(path), offset);
  const parts: Buffer[] = [];
  try {
    for (;;) {
      const into = new Uint8Array(70_001);
      const got = await source.read(into, 0, into.length);
      if (got === 0) return Buffer.concat(parts);
      parts.push(Buffer.from(into.subarray(0, got)));
    }
  } finally {
    await source.close();
  }
}

const large = Buffer.from(smallCsv(9_000));
for (const [name, kind, make, skip = false] of kinds) {
  test(`${name}: a file is told by its bytes and read from any place`, { skip }, async () => {
    const path = write(folder, 'any.name', make(large));
    const info = await fileInfo(path);
    assert.equal(info.compression, kind);
    assert.equal(info.size, null);
    assert.ok((await readAll(path)).equals(large));
    assert.ok((await readAll(path, 150_000)).equals(large.subarray(150_000)));
    const one = write(folder, 'one', make(Buffer.from('a')));
    if (!name.startsWith('two')) assert.equal((await readAll(one)).toString(), 'a');
  });

  test(`${name}: text and binary formats are read through it`, { skip }, async () => {
    const plain = { schema: smallSchema, shuffle: 0 };
    const csv = smallCsv(300);
    assert.deepEqual(
      await readRows({ ...plain, files: [write(folder, 'c.csv.x', make(Buffer.from(csv)))] }),
      await readRows({ ...plain, files: [write(folder, 'c.csv', csv)] }),
    );
    const records = frames(
      Array.from({ length: 60 }, (_, i) =>
        example({ y: { floats: [i % 2] }, x: { floats: [i] }, a: { bytes: [`u${i}`] }, z: { ints: [BigInt(i)] } }),
      ),
    );
    assert.deepEqual(
      await readRows({ ...plain, files: [write(folder, 't.x', make(records))] }),
      await readRows({ ...plain, files: [write(folder, 't.plain', records)] }),
    );
  });

  test(`${name}: cut at any byte it is an error with the place, or what is there is whole`, { skip }, async () => {
    const small = Buffer.from(smallCsv(4));
    const bytes = make(small);
    for (let length = 20; length < bytes.length; length++) {
      const path = write(folder, 'cut.csv', bytes.subarray(0, length));
      if ((await fileInfo(path)).compression !== kind) continue;
      const result = await readAll(path).catch((error: unknown) => error);
      if (result instanceof Error) {
        assert.ok(result instanceof MonolithError, String(result));
        assert.equal(result.code, 'RecordCorrupt');
        assert.match(result.message, /cut\.csv: .*byte \d+/);
      } else {
        // Ends of gzip members, of zstd frames and of snappy chunks are ends of files too.
        assert.ok(small.subarray(0, (result as Buffer).length).equals(result as Buffer), `${length}`);
        assert.ok(/two|snappy/.test(name), `${length} of ${bytes.length}`);
      }
    }
  });

  test(`${name}: a flipped bit never goes by unseen where there is a checksum, and never crashes`, { skip }, async () => {
    const small = Buffer.from(smallCsv(4));
    const bytes = make(small);
    const checked = !/without checksum|TensorFlow|Hadoop/.test(name);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] ^= 1 << (at % 8);
      const path = write(folder, 'flip.csv', flipped);
      if ((await fileInfo(path)).compression !== kind) continue;
      const result = await readAll(path).catch((error: unknown) => error);
      if (result instanceof Error) assert.ok(result instanceof MonolithError && result.code === 'RecordCorrupt', String(result));
      else if (checked) assert.ok((result as Buffer).equals(small), `byte ${at} of ${bytes.length}`);
    }
  });
}

test('what only looks like a compressed file is read as it is', () => {
  for (const text of ['x^2,1\n3,4\n', '8O,1\n', 'hC\n', 'PK\x03\x04', 'a,b\n1,2\n', '\x00\x00\x00\x00', '(\xb5/', '']) {
    assert.equal(detectCompression(Buffer.from(text, 'latin1')), 'none', JSON.stringify(text));
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => detectCompression(Buffer.from(`${text}\n`)) === 'none'),
    { numRuns: 500 },
  );
  // A TFRecord file whose first length happens to be the head of a zlib file.
  assert.equal(detectCompression(frames([new Uint8Array(0x9c78)])), 'none');
});

test('bytes behind a zlib stream are an error', async () => {
  const path = write(folder, 'tail.zz', Buffer.concat([deflateSync('a,b\n'), Buffer.from('more')]));
  await assert.rejects(readAll(path), { code: 'RecordCorrupt', message: /end at byte 12 of 16/ });
});

test('lengths from a hostile hand take no memory', async () => {
  const before = process.memoryUsage().arrayBuffers;
  const files: [string, Buffer][] = [
    ['window', Buffer.from('28b52ffd00b80000', 'hex')],
    ['zstd size', Buffer.from('28b52ffde0ffffffffffffff7f010000', 'hex')],
    ['chunk', Buffer.concat([Buffer.from('ff060000734e61507059', 'hex'), Buffer.from('00ffffff00000000', 'hex')])],
    ['declared', Buffer.concat([Buffer.from('ff060000734e61507059', 'hex'), Buffer.from('0009000000000000ffff030401', 'hex')])],
  ];
  for (const [name, bytes] of files) await assert.rejects(readAll(write(folder, 'hostile', bytes)), { code: 'RecordCorrupt' }, name);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
});

test('snappy elements of every kind', () => {
  const decode = (hex: string): string => {
    const block = Buffer.from(hex, 'hex');
    const told = snappyLength(block);
    const out = new Uint8Array(told?.length ?? 0);
    return snappyDecode(block, told?.at ?? 0, out) < 0 ? 'malformed' : Buffer.from(out).toString();
  };
  assert.equal(decode('05' + '10' + '68656c6c6f'), 'hello');
  assert.equal(decode('0a' + '04' + '6162' + '1102'), 'ababababab');
  assert.equal(decode('06' + '04' + '6162' + '0e0200'), 'ababab');
  assert.equal(decode('06' + '04' + '6162' + '0f02000000'), 'ababab');
  assert.equal(decode('05' + 'f004' + '68656c6c6f'), 'hello');
  for (const wrong of [
    '05' + '10' + '68656c6c',
    '06' + '10' + '68656c6c6f',
    '04' + '10' + '68656c6c6f',
    '04' + '04' + '6162' + '0903',
    '02' + '0e0000',
    '03' + '0e',
  ])
    assert.equal(decode(wrong), 'malformed', wrong);
});

test('XXH64 is what the zstd command writes', { skip: skipZstd }, () => {
  assert.equal(new XxHash64().low32(), 0x51d8e999);
  for (const length of [1, 3, 4, 8, 31, 32, 33, 63, 64, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 37);
    const hash = new XxHash64();
    for (let at = 0; at < length; at += 13) hash.update(bytes.subarray(at, at + 13));
    assert.equal(hash.low32(), zstd(bytes, '--check').readUInt32LE(zstd(bytes, '--check').length - 4), `${length}`);
  }
});
