import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { callCli, lastEvent, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('rows');
  writeClicks(folder.in('train.csv'), 800, 1);
  writeClicks(folder.in('test.csv'), 100, 2);
  // Steps too small to change a float: rows stay as they began.
  const config = clickConfig(folder.path, 'epochs: 1').replace('epochs: 3\n', '').replace('learningRate: 0.05', 'learningRate: 1.0e-30');
  writeFileSync(folder.in('run.yaml'), config.replace('kind: adagrad', 'kind: sgd'));
  const { code, stderr } = await callCli(['train', folder.in('run.yaml'), '--quiet', '--model-dir', folder.in('run')]);
  assert.equal(code, 0, stderr);
});
after(() => folder.remove());

const exported = async (run: string): Promise<string[][]> => {
  const { stdout, stderr } = await callCli(['rows', 'export', folder.in(run)]);
  assert.match(stdout, /^fid,last_used,linear\.0,embedding\.0,/, stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(','));
};

describe('rows', () => {
  test('imported of one slice before the first step have in the other slice what training begins with; the run goes on from them', async () => {
    const trained = await exported('run');
    const lines = trained.slice(1).map(([fid], i) => `${fid},${i / 8}`);
    writeFileSync(folder.in('linear.csv'), `fid,linear.0\n${lines.join('\n')}\n`);
    const args = [folder.in('run.yaml'), '--model-dir', folder.in('pretrained')];
    const imported = lastEvent(await callCli(['rows', 'import', ...args, '--input', folder.in('linear.csv'), '--json']));
    assert.deepEqual([imported.event, imported.step, imported.added, imported.rows], ['rows-import', 0, lines.length, lines.length]);
    const begun = await exported('pretrained');
    const initial = new Map(trained.map(([fid, , , ...embedding]) => [fid, embedding]));
    const given = new Map(lines.map((line) => line.split(',') as [string, string]));
    for (const [fid, , linear, ...embedding] of begun.slice(1)) {
      assert.equal(Number(linear), Number(given.get(fid)));
      assert.deepEqual(embedding, initial.get(fid));
    }
    const result = await callCli(['train', ...args, '--json']);
    assert.match(result.stdout, /"resumed_step":0/);
    assert.deepEqual((await exported('pretrained')).length, trained.length);
    const again = await callCli(['rows', 'import', ...args, '--input', folder.in('linear.csv')]);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /^InvalidConfig {2}rows import: table .* say --existing keep or --existing replace/);
  });

  test('that are wrong leave no run folder behind', async () => {
    writeFileSync(folder.in('bad.csv'), 'fid,linear.0\n1,2\n2,much\n');
    const bad = await callCli(['rows', 'import', folder.in('run.yaml'), '--model-dir', folder.in('bad'), '--input', folder.in('bad.csv')]);
    assert.deepEqual([bad.code, existsSync(folder.in('bad'))], [3, false]);
    assert.match(bad.stderr, /^DataFormat {2}.*bad\.csv line 3: column "linear\.0": expected a finite float32, got "much"/);
    const nothing = await callCli(['rows', 'import', '--model-dir', folder.in('bad'), '--input', folder.in('bad.csv')]);
    assert.deepEqual([nothing.code, /name a config file with the data/.test(nothing.stderr)], [4, true]);
  });

  test('are written as files, and wrong usage is named', async () => {
    const out = ['--output', folder.in('out')];
    const result = lastEvent(await callCli(['rows', 'export', folder.in('run'), '--format', 'npy', ...out, '--json']));
    assert.deepEqual(Object.keys((result.tables as object[])[0]), ['table', 'rows', 'files']);
    assert.equal(readFileSync(folder.in('out', 'linear_embedding', 'fids.npy')).toString('latin1', 1, 6), 'NUMPY');
    for (const [args, message] of [
      [['export', folder.in('run'), '--format', 'tsv'], /--format: expected one of csv, jsonl, npy, got "tsv"/],
      [['export', folder.in('run'), '--format', 'npy'], /name a folder for them with --output/],
      [['export', folder.in('run'), '--tabel', 'x'], /--tabel: .*did you mean --table\?/],
      [['export'], /rows export: name a run folder/],
      [['improt'], /rows: unexpected argument "improt"/],
      [[], /Name what to do with rows: export or import/],
      [['import', '--model-dir', folder.in('run')], /name the rows with --input/],
    ] as const) {
      const { code, stderr } = await callCli(['rows', ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });
});

describe('inspect', () => {
  test('shows one row, what changed between two checkpoints, and with --brief no rows', async () => {
    const [, [fid]] = await exported('run');
    const one = await callCli(['inspect', folder.in('run'), '--fid', fid]);
    assert.match(
      one.stdout,
      new RegExp(
        `^fid ${fid}, slot \\d \\(\\w+\\), in checkpoint-\\d+\\n\\ntable linear\\+embedding: .*\\n {2}linear: \\S+\\n {2}embedding: `,
      ),
    );
    const none = await callCli(['inspect', folder.in('run'), '--fid', '12', '--json']);
    assert.deepEqual([none.code, (JSON.parse(none.stdout) as { rows: unknown[] }).rows], [1, []]);
    const diff = await callCli(['inspect', '--diff', folder.in('run'), folder.in('run')]);
    assert.match(
      diff.stdout,
      /^from checkpoint-\d+ \(deepfm\) to checkpoint-\d+ .*dense parameters: the same\n\nconfiguration: the same\n$/s,
    );
    const brief = await callCli(['inspect', folder.in('run'), '--brief']);
    assert.doesNotMatch(brief.stdout, /rows of/);
    const full = await callCli(['inspect', folder.in('run'), '--top', '2']);
    assert.match(full.stdout, /rows of linear\+embedding .*fids of largest norm +slot +L2 norm/s);
    const both = await callCli(['inspect', folder.in('run'), '--diff', folder.in('run'), '--fid', '1']);
    assert.match(both.stderr, /give --diff or --fid, not both/);
  });
});
