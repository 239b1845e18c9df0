import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { armFailpoint, disarmAll } from '../../src/base/index.js';
import type { PipelineOptions } from '../../src/data/index.js';
import { readRows, readSteps, slotsFor, smallCsv, smallSchema, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const csv = write(folder, 'small.csv', smallCsv(997));
const zipped = write(folder, 'small2.csv.gz', gzipSync(smallCsv(400)));
const withBad = write(
  folder,
  'bad.csv',
  smallCsv(600)
    .split('\n')
    .map((line, i) => (i > 0 && i % 50 === 0 ? 'only,two' : line))
    .join('\n'),
);
const ffm = write(
  folder,
  'rows.ffm',
  Array.from({ length: 500 }, (_, i) => `${i % 2} 0:${i % 7}:1 1:${i % 31}:${(i % 3) + 0.5} 2:${i}:1 2:${i + 9}:1`).join('\n'),
);

let places = 0;
function place(): string {
  return join(folder, `cache-${places++}`);
}

const base: Partial<PipelineOptions> = { schema: smallSchema, batchSize: 32, workers: 2, blockBytes: 2048, shuffle: 100, epochs: 2 };

afterEach(disarmAll);

for (const [name, files, more] of [
  ['plain and gzip files', [csv, zipped], {}],
  ['bad records that are skipped', [withBad, csv], { maxBadRecords: 20 }],
  ['bad records that are kept', [withBad], { keepBadRecords: true }],
  ['a split by fraction', [csv, zipped], { split: { by: 'fraction', fraction: 0.3, part: 'train' } }],
  ['a split by column', [csv], { split: { by: 'column', column: 'a', evalValues: ['user3'], part: 'eval' } }],
  ['no shuffling', [zipped, csv], { shuffle: 0 }],
  ['values and bags of many lengths', [ffm], { schema: null, format: 'libffm' }],
] as [string, string[], Partial<PipelineOptions>][]) {
  for (const backend of ['auto', 'reference'] as const) {
    test(`steps and positions are those without a cache, in the run that writes it and in those that read it: ${name}, ${backend}`, async () => {
      const options = { ...base, ...more, files, backend };
      const plain = await readSteps(options);
      const cached = { ...options, cache: place(), parseThreads: backend === 'auto' ? 2 : 0 };
      assert.deepEqual(await readSteps(cached), plain);
      assert.equal(readdirSync(cached.cache).filter((file) => file.endsWith('.mlcache')).length, files.length);
      assert.deepEqual(await readSteps(cached), plain);
      for (let step = 1; step < plain.positions.length; step += 9) {
        const rest = await readSteps(cached, plain.positions[step]);
        assert.deepEqual(rest.hashes, plain.hashes.slice(step), `from step ${step}`);
        assert.deepEqual(rest.positions, plain.positions.slice(step));
      }
    });
  }
}

test('native code and TypeScript write the same cache', async () => {
  const [native, reference] = [place(), place()];
  await readSteps({ ...base, files: [csv], cache: native });
  await readSteps({ ...base, files: [csv], cache: reference, backend: 'reference' });
  const [name] = readdirSync(native);
  assert.deepEqual(readdirSync(reference), [name]);
  assert.deepEqual(readFileSync(join(reference, name)), readFileSync(join(native, name)));
});

test('a run that goes on in the middle of a file writes no cache of it, and the next epoch does', async () => {
  const cache = place();
  const { positions } = await readSteps({ ...base, files: [csv], epochs: 1 });
  await readSteps({ ...base, files: [csv], epochs: 1, cache }, positions[8]);
  assert.equal(existsSync(cache), false);
  await readSteps({ ...base, files: [csv], epochs: 2, cache }, positions[8]);
  assert.equal(readdirSync(cache).length, 1);
});

test('a run that ends before the end of a file leaves nothing behind', async () => {
  const cache = place();
  await withPipeline({ ...base, files: [csv], cache }, async (pipeline) => {
    await pipeline.nextStep(slotsFor(pipeline, 2));
  });
  assert.deepEqual(readdirSync(cache), []);
});

test('the error of a bad record is the same out of a cache', async () => {
  const cache = place();
  await readRows({ ...base, files: [withBad], epochs: 1, maxBadRecords: 20, cache });
  const failure = (more: Partial<PipelineOptions>): Promise<string> =>
    readRows({ ...base, files: [withBad], epochs: 1, maxBadRecords: 5, ...more }).then(
      () => 'no error',
      (error: Error) => error.message,
    );
  const plain = await failure({});
  assert.match(plain, /bad\.csv line 301 /);
  assert.equal(await failure({ cache }), plain);
});

/** Reads with a cache that was tampered with; what was said, and whether the rows were right. */
async function afterTampering(tamper: (path: string) => void, more: Partial<PipelineOptions> = {}): Promise<string[]> {
  const cache = place();
  const own = write(folder, `own-${places}.csv`, smallCsv(500));
  const options = { ...base, files: [own], cache };
  const { hashes } = await readSteps(options);
  const [name] = readdirSync(cache);
  tamper(join(cache, name));
  const said: string[] = [];
  const again = await readSteps({ ...options, ...more, notify: (text) => said.push(text) });
  assert.deepEqual(again.hashes, hashes);
  // It was made anew: the next run has nothing to say.
  const rest: string[] = [];
  await readSteps({ ...options, ...more, notify: (text) => rest.push(text) });
  assert.deepEqual(rest, []);
  return said;
}

test('a cache cut off at any place, or with any byte changed, changes no result', async () => {
  const cache = place();
  const options = { ...base, files: [csv], epochs: 1, cache, blockBytes: 8192 };
  const { hashes } = await readSteps(options);
  const path = join(cache, readdirSync(cache)[0]);
  const whole = readFileSync(path);
  for (let i = 0; i < 60; i++) {
    const at = Math.floor((i * whole.length) / 60);
    const cut = Buffer.from(whole.subarray(0, at));
    const flipped = Buffer.from(whole);
    flipped[at] ^= 1 << (i % 8);
    for (const bytes of [cut, flipped]) {
      writeFileSync(path, bytes);
      const said: string[] = [];
      const again = await readSteps({ ...options, notify: (text) => said.push(text) });
      assert.deepEqual(again.hashes, hashes);
      assert.ok(said.length <= 1);
    }
  }
});

test('a cut-off cache is named and made anew', async () => {
  const said = await afterTampering((path) => truncateSync(path, statSync(path).size - 100));
  assert.equal(said.length, 1);
  assert.match(said[0], /own-\d+\.csv-[0-9a-f]{16}\.mlcache is cut off or its end is damaged: it is made anew/);
});

test('a cache whose blocks are damaged is named once, and its blocks are read from the data', async () => {
  const said = await afterTampering((path) => {
    const bytes = readFileSync(path);
    for (let at = 2048; at < bytes.length - 2048; at += 500) bytes[at] ^= 0xff;
    writeFileSync(path, bytes);
  });
  assert.equal(said.length, 1);
  assert.match(said[0], /is damaged: its blocks are read from the data again/);
});

test('something else under the name of a cache is no cache', async () => {
  const said = await afterTampering((path) => writeFileSync(path, 'not a cache at all, though long enough to hold a head'));
  assert.match(said.join(), /is no data cache: it is made anew/);
});

test('data that changed since are read anew', async () => {
  const cache = place();
  const path = write(folder, 'changing.csv', smallCsv(300));
  await readSteps({ ...base, files: [path], cache });
  writeFileSync(path, smallCsv(300).replaceAll('user', 'item'));
  utimesSync(path, 1, 1);
  const said: string[] = [];
  const options = { ...base, files: [path] };
  assert.deepEqual(await readSteps({ ...options, cache, notify: (text) => said.push(text) }), await readSteps(options));
  assert.match(said.join(), /belongs to other data or options: it is made anew/);
});

test('another schema, block size or group has a cache of its own', async () => {
  const cache = place();
  const options = { ...base, files: [csv], epochs: 1, cache };
  await readSteps(options);
  await readSteps({ ...options, blockBytes: 4096 });
  await readSteps({ ...options, requireLabel: false });
  await readSteps({ ...options, groups: [{ features: [0] }, { features: [1, 2] }] });
  // What does not touch parsing shares one.
  await readSteps({ ...options, shuffle: 0, batchSize: 7, seed: 5, split: { by: 'fraction', fraction: 0.5, part: 'eval' } });
  assert.equal(readdirSync(cache).length, 4);
});

test("'auto' puts the cache into a hidden folder beside the file, which no pattern takes for data", async () => {
  const data = join(folder, 'auto');
  mkdirSync(data);
  write(data, 'a.csv', smallCsv(100));
  await readSteps({ ...base, files: [data], cache: 'auto' });
  assert.equal(readdirSync(join(data, '.monolith-cache')).length, 1);
  const rows = await readRows({ ...base, files: [join(data, '**/*')], epochs: 1 });
  assert.equal(rows.length, 100);
});

for (const failure of ['enospc', 'short-write', 'eio'] as const) {
  test(`a disk that fails (${failure}) costs the cache, not the run`, async () => {
    const cache = place();
    const options = { ...base, files: [csv] };
    const plain = await readSteps(options);
    for (const hit of [1, 2, 5]) {
      armFailpoint('durable-file.write', failure, hit);
      const said: string[] = [];
      assert.deepEqual(await readSteps({ ...options, cache, notify: (text) => said.push(text) }), plain);
      assert.equal(said.length, 1);
      assert.match(said[0], /data cache .* is given up, the run goes on without it/);
      assert.deepEqual(readdirSync(cache), []);
      disarmAll();
    }
  });
}

test('a place that is no folder costs the cache, not the run', async () => {
  const cache = write(folder, 'a-file', 'x');
  const said: string[] = [];
  assert.equal((await readRows({ ...base, files: [csv], epochs: 1, cache, notify: (text) => said.push(text) })).length, 997);
  assert.equal(said.length, 1);
});

test('what a killed run left of a cache is removed', async () => {
  const cache = place();
  await readSteps({ ...base, files: [csv], cache });
  const [name] = readdirSync(cache);
  rmSync(join(cache, name));
  // No process has this number.
  writeFileSync(join(cache, `.${name}.4194305-0.tmp`), 'half');
  await readSteps({ ...base, files: [csv], cache });
  assert.deepEqual(readdirSync(cache), [name]);
});
