// A new training that takes over rows and dense parameters of another model's checkpoint, by name.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openCheckpoint } from '../../src/checkpoint/index.js';
import { Estimator, type PartialTrainingConfig, type WarmStartReport, warmStartLines } from '../../src/index.js';
import { openSaved } from '../../src/rows/index.js';
import { readTableSection, savedTables } from '../../src/training/index.js';
import { temporaryFolder } from '../helpers/cli.js';
import { writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('warm-start');
  writeClicks(folder.in('train.csv'), 600, 1);
  await estimator('fm', { model: 'fm' }).train({ steps: 10 });
});
after(() => folder.remove());

function estimator(name: string, more: PartialTrainingConfig): Estimator {
  return new Estimator({
    modelOptions: { embeddingDim: 4 },
    modelDir: folder.in(name),
    batchSize: 32,
    workers: 1,
    ps: 2,
    seed: 7,
    data: {
      train: [folder.in('train.csv')],
      parseThreads: 0,
      schema: {
        label: { column: 'click' },
        features: [
          { name: 'price', type: 'numeric', transform: 'log1p' },
          { name: 'user', type: 'categorical' },
          { name: 'item', type: 'categorical' },
        ],
      },
    },
    ...more,
  });
}

/** Starts without a step and saves: the rows and parameters that training would begin with. */
async function started(name: string, more: PartialTrainingConfig): Promise<WarmStartReport | null> {
  const reports: (WarmStartReport | null)[] = [];
  await estimator(name, more).train({ maxSteps: 0, onReady: (info) => void reports.push(info.warmStart) });
  return reports[0];
}

/** fid → slice → values, of the newest checkpoint. */
async function rowsOf(name: string): Promise<Map<bigint, Record<string, number[]>>> {
  const { tables, reader } = await openSaved(folder.in(name));
  const rows = new Map<bigint, Record<string, number[]>>();
  for (const table of tables) {
    const width = table.dim + table.stateLength;
    for (const section of table.sections) {
      const { count, fids, records } = await readTableSection(reader, table, section);
      for (let i = 0; i < count; i++) {
        const slices = table.slices.map(({ name: slice, offset, dim }) => [
          slice,
          [...records.subarray(i * width + offset, i * width + offset + dim)],
        ]);
        const state = [...records.subarray(i * width + table.dim, (i + 1) * width)];
        rows.set(BigInt.asUintN(64, fids[i]), { ...Object.fromEntries(slices), state });
      }
    }
  }
  return rows;
}

const deepfm = { model: 'deepfm', modelOptions: { embeddingDim: 4, hidden: [8] } };

test('a DeepFM takes over the shared embeddings of an FM, slice by slice, and says what it left alone', async () => {
  const report = await started('deepfm', { ...deepfm, warmStart: { from: folder.in('fm') } });
  assert.ok(report !== null);
  const fm = await rowsOf('fm');
  const rows = await rowsOf('deepfm');
  assert.ok(fm.size > 100);
  assert.equal(rows.size, fm.size);
  // The tables name their slices in different orders: nothing else than the name decides.
  assert.notEqual(
    savedTables(await openCheckpoint(folder.in('fm')))[0].name,
    savedTables(await openCheckpoint(folder.in('deepfm')))[0].name,
  );
  for (const [fid, { embedding, linear }] of fm) {
    assert.deepEqual(rows.get(fid)?.embedding, embedding);
    assert.deepEqual(rows.get(fid)?.linear, linear);
    assert.deepEqual(rows.get(fid)?.state, new Array(5).fill(rows.get(fid)?.state[0]), 'optimizer state starts anew');
  }
  assert.deepEqual(report.slices.map((name) => name.split(', ')[1]).sort(), ['embedding', 'linear']);
  const left = report.left.map(({ name }) => name).join('\n');
  assert.match(left, /parameter deep\.0\.weight/);
  assert.match(left, /parameter deep\.logit/);
  const saved = await openSaved(folder.in('deepfm'));
  assert.deepEqual([...report.parameters].sort(), ['linear.numeric.bias', 'linear.numeric.weight']);
  const source = await openSaved(folder.in('fm'));
  for (const name of report.parameters) assert.deepEqual(await parameter(saved, name), await parameter(source, name));
  // What was left alone starts as without a warm start.
  await started('cold', deepfm);
  const cold = await openSaved(folder.in('cold'));
  assert.deepEqual(await parameter(saved, 'deep.0.weight'), await parameter(cold, 'deep.0.weight'));
  const lines = warmStartLines(report);
  assert.match(lines[0], /^warm start from .*checkpoint-10\.json \(step 10\): rows \d+ of/);
  assert.equal(lines.length, 1 + report.left.length);
});

async function parameter(run: Awaited<ReturnType<typeof openSaved>>, name: string): Promise<number[]> {
  const found = run.parameters.find((other) => other.name === name);
  assert.ok(found, `${name} of ${run.parameters.map((other) => other.name).join()}`);
  const bytes = await run.reader.section('dense.parameters').readAll();
  const all = new Float32Array(bytes.slice().buffer);
  return [...all.subarray(found.offset, found.offset + found.length)];
}

test('by pattern: only what is named; rows of a feature under another name and in another place', async () => {
  const schema = {
    label: { column: 'click' },
    features: [
      { name: 'thing', type: 'categorical' as const, column: 'item' },
      { name: 'price', type: 'numeric' as const, transform: 'log1p' as const },
    ],
  };
  const report = await started('pattern', {
    ...deepfm,
    data: { train: [folder.in('train.csv')], parseThreads: 0, schema },
    warmStart: { from: folder.in('fm'), tables: 'emb*,embeding', parameters: 'none', rename: { thing: 'item', thign: 'user' } },
  });
  const idle = report?.left.filter(({ name }) => name.includes('warmStart.')).map(({ name, reason }) => `${name}: ${reason}`);
  assert.deepEqual(idle, [
    '"embeding" of warmStart.tables: matches no slice of this model: linear, embedding',
    '"thign" of warmStart.rename: this model has no slice, feature or dense parameter of that name',
  ]);
  assert.deepEqual(report?.parameters, []);
  const fm = await rowsOf('fm');
  const rows = await rowsOf('pattern');
  const items = [...fm].filter(([fid]) => fid >> 48n === 3n);
  assert.equal(rows.size, items.length);
  assert.equal(report?.rows[0].otherFeatures, fm.size - items.length);
  for (const [fid, { embedding }] of items) {
    const row = rows.get((1n << 48n) | (fid & ((1n << 48n) - 1n)));
    assert.deepEqual(row?.embedding, embedding);
    assert.deepEqual(row?.linear, [0], 'the slice that was not asked for starts as in a new row');
  }
});

test('whole, with the optimizer state: the same model goes on learning as the first would with new data', async () => {
  const report = await started('whole', { model: 'fm', warmStart: { from: folder.in('fm'), optimizerState: true } });
  assert.deepEqual(report?.left, []);
  const [a, b] = [await openCheckpoint(folder.in('fm')), await openCheckpoint(folder.in('whole'))];
  for (const name of a.sectionNames) {
    const [one, other] = [await a.section(name).readAll(), await b.section(name).readAll()];
    assert.ok(Buffer.from(one).equals(Buffer.from(other)), name);
  }
});

test('equal names of unequal size are refused, or skipped where that is asked for; nothing that fits is an error', async () => {
  const wide = { model: 'fm', modelOptions: { embeddingDim: 8 } };
  await assert.rejects(started('refused', { ...wide, warmStart: { from: folder.in('fm') } }), {
    code: 'CheckpointIncompatible',
    message: /slice "embedding" has 8 values, 4 in the checkpoint/,
  });
  const report = await started('skipped', { ...wide, warmStart: { from: folder.in('fm'), mismatch: 'skip' } });
  assert.deepEqual(
    report?.slices.map((name) => name.split(', ')[1]),
    ['linear'],
  );
  const nothing = started('nothing', { ...wide, warmStart: { from: folder.in('fm'), tables: 'none', parameters: 'none' } });
  await assert.rejects(nothing, { code: 'InvalidConfig', message: /nothing of it fits/ });
  await assert.rejects(started('absent', { ...wide, warmStart: { from: folder.in('no-such-run') } }), { code: 'CheckpointNotFound' });
  await assert.rejects(started('a-file', { ...wide, warmStart: { from: folder.in('train.csv') } }), {
    code: 'CheckpointNotFound',
    message: /^warmStart\.from .*train\.csv is a file/,
  });
});

test('a delta checkpoint brings the rows of the whole one that it stands on along', async () => {
  // Whole ones at 4 and 6, a delta at 8, where the run ends.
  await estimator('chain', { model: 'fm', checkpointEvery: 6, deltaEvery: 4 }).train({ steps: 8 });
  await estimator('unchained', { model: 'fm' }).train({ steps: 8 });
  const delta = await openCheckpoint(folder.in('chain'));
  assert.deepEqual([delta.step, delta.base?.step], [8, 6]);
  const reports = [];
  for (const [name, from] of [
    ['from-delta', 'chain'],
    ['from-whole', 'unchained'],
  ]) {
    reports.push(await started(name, { ...deepfm, warmStart: { from: folder.in(from), optimizerState: true } }));
  }
  assert.deepEqual({ ...reports[0], from: '', path: '' }, { ...reports[1], from: '', path: '' });
  const [a, b] = [await rowsOf('from-delta'), await rowsOf('from-whole')];
  assert.ok(a.size > 100);
  assert.deepEqual(a, b);
});

test('a run folder that has checkpoints goes on from its own', async () => {
  const report = await started('whole', { model: 'fm', warmStart: { from: folder.in('no-such-run') } });
  assert.equal(report, null);
});
