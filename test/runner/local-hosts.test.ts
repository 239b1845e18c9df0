import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lastEvent, runCli } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { sectionsOf, trainedLocally } from '../helpers/job.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-local-try-out-'));
const config = join(folder, 'config.yaml');
before(() => {
  writeClicks(join(folder, 'train.csv'), 1500, 1);
  writeClicks(join(folder, 'test.csv'), 200, 2);
  writeFileSync(config, clickConfig(folder));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('--local-hosts starts all processes of a job, says who says what, and gives the result of threads', async () => {
  const expected = await trainedLocally(folder, config, ['--workers', '2', '--ps', '1', '--epochs', '1']);
  const modelDir = join(folder, 'model');
  const run = await runCli(['train', config, '--local-hosts', '3', '--epochs', '1', '--json', '--model-dir', modelDir]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(lastEvent(run).event, 'done');
  for (const name of ['ps 0', 'worker 1']) assert.match(run.stderr, new RegExp(`^\\[${name}\\] listening on 127\\.0\\.0\\.1:\\d+$`, 'm'));
  assert.deepEqual(sectionsOf(modelDir), expected);
});

test('--local-hosts ends with the error and the exit code of the process that failed first', async () => {
  // A table that is full is a parameter server's error.
  const run = await runCli(['train', config, '--local-hosts', '2', '--table.max-rows', '3', '--model-dir', join(folder, 'refused')]);
  assert.equal(run.code, 1, run.stderr);
  assert.match(run.stderr, /TableFull {2}/);
});

test('--local-hosts that do not fit the numbers of workers and parameter servers are refused before anything starts', async () => {
  const run = await runCli(['train', config, '--local-hosts', '3', '--workers', '4', '--ps', '2']);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /--local-hosts 3: 4 workers and 2 parameter servers are 6 processes/);
});
