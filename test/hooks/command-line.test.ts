import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { callCli, events, lastEvent, runCli } from '../helpers/cli.js';
import { clickConfig } from '../helpers/click-data.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('hooks-cli', 1280);
  writeFileSync(data.in('run.yaml'), `${clickConfig(data.path)}hooks: [./from-config.mjs]\nworkers: 1\nps: 1\n`);
  writeFileSync(data.in('from-config.mjs'), 'export const hooks = [];\n');
});
after(() => data.remove());

function args(run: string, ...flags: string[]): string[] {
  return ['train', data.in('run.yaml'), '--json', '--epochs', '1', '--model-dir', data.in(run), ...flags];
}

test('--hooks brings hooks of a module; --stop-file ends the run, is consumed, and the same command goes on', async () => {
  writeFileSync(
    data.in('mine.mjs'),
    `import { writeFileSync } from 'node:fs';
export async function hooks(config) {
  return [{
    name: 'mine',
    trigger: { everySteps: 5 },
    async afterStep(step, metrics, context) {
      writeFileSync(${JSON.stringify(data.in('seen.json'))}, JSON.stringify({ step, metrics, seed: config.seed, at: context.step }));
      if (process.env.STOP_NOW === '1') writeFileSync(${JSON.stringify(data.in('stop'))}, '');
    },
  }];
}
`,
  );
  writeFileSync(data.in('stop'), '');
  const stopped = await callCli(args('mine', '--stop-file', data.in('stop'), '--hooks', data.in('mine.mjs')));
  assert.equal(stopped.code, 0, stopped.stderr);
  assert.deepEqual([lastEvent(stopped).reason, lastEvent(stopped).step, existsSync(data.in('stop'))], ['stopped by hook', 0, false]);
  const whole = await callCli(args('mine', '--stop-file', data.in('stop'), '--hooks', data.in('mine.mjs'), '--seed', '7', '--fresh'));
  assert.equal(whole.code, 0, whole.stderr);
  assert.equal(lastEvent(whole).step, 40);
  const seen = JSON.parse(readFileSync(data.in('seen.json'), 'utf8')) as { step: number; at: number; seed: number };
  assert.deepEqual([seen.step, seen.at, seen.seed], [39, 40, 7]);
});

test('a module without hooks is a wrong use that names the file; a hook that throws is named and exit is 1', async () => {
  const bad = async (source: string | null, pattern: RegExp, code: number): Promise<void> => {
    const file = data.in('bad.mjs');
    if (source !== null) writeFileSync(file, source);
    const result = await runCli(args('bad', '--hooks', source === null ? data.in('nowhere.mjs') : file));
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, pattern);
  };
  await bad(null, /InvalidConfig {2}hooks: .*nowhere\.mjs: no such file/, 2);
  await bad(
    'export const hooks = [{ afterSteps() {} }];',
    /InvalidConfig {2}hooks: .*bad\.mjs: hooks\[0\] has none of the methods of a hook: onStart/,
    2,
  );
  await bad(
    'export const hooks = [{ name: "clumsy", afterStep() { throw new Error("oops"); } }];',
    /HookFailed {2}hook clumsy, afterStep: oops/,
    1,
  );
});

test('--keep-best, --log-every and --profile-steps do what they say', async () => {
  const flags = ['--keep-best', 'auc', '--eval-every', '3', '--keep-checkpoints', '1', '--checkpoint-every', '0'];
  const result = await callCli(args('flags', ...flags, '--log-every', '3600', '--profile-steps', '2..4'));
  assert.equal(result.code, 0, result.stderr);
  const evaluations = events(result).filter(({ event, step }) => event === 'eval' && step !== 40) as unknown as {
    step: number;
    auc: number;
  }[];
  const best = evaluations.reduce((a, b) => (b.auc > a.auc ? b : a));
  assert.deepEqual(data.checkpoints('flags'), [...new Set([best.step, 40])]);
  // One report before each evaluation and one at the end, none for the time.
  const reports = events(result).filter(({ event }) => event === 'progress');
  assert.deepEqual(
    reports.map(({ step }) => step),
    [...evaluations.map(({ step }) => step), 40],
  );
  assert.ok(readdirSync(data.in('flags', 'profile')).includes('steps-2-4.trace.json'));
});
