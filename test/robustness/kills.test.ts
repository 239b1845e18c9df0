import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '../../src/base/index.js';
import { Figure, isLong, LongestTime } from '../helpers/board.js';
import { type CliResult, checkpointContent, lastEvent, runCli, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

const random = new Figure('R1', 'random kills of a whole run resumed bit-identical');
/** Seconds; or three times as long as a first start took here, where the machine is busy with something else. */
const restart = new LongestTime('R1', 'longest restart to the first step (s)', 5);
const atFailpoints = new Figure('R2', 'kills of a run at failpoints resumed bit-identical');

/** Kills at random moments, and how many of them one run goes through. */
const KILLS = isLong ? 500 : 40;
const KILLS_A_RUN = 8;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let uncut: ReturnType<typeof checkpointContent>;
/** Of the run that is not killed: until its first step, and from there to its end. */
let startMs = 0;
let trainMs = 0;
before(async () => {
  folder = await temporaryFolder('kills');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 500, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 2\nps: 2\nmaxSteps: 300\nkeepCheckpoints: 1'));
  const from = performance.now();
  const { firstStepMs, done } = started('uncut');
  uncut = contentOf(await done);
  startMs = await firstStepMs;
  trainMs = performance.now() - from - startMs;
  restart.allow((3 * startMs) / 1000);
});
after(() => folder.remove());

function args(run: string): string[] {
  // Threads that parse, as by default, in the uncut run and in one of those that are killed.
  const parsing = run === 'uncut' || /^killed-0\b/.test(run) ? ['--data.parse-threads', 'null'] : [];
  return ['train', folder.in('run.yaml'), '--epochs', '7', '--json', '--model-dir', folder.in(run), ...parsing];
}

function contentOf(result: CliResult): ReturnType<typeof checkpointContent> {
  assert.equal(result.code, 0, result.stderr);
  return checkpointContent(String(lastEvent(result).checkpoint));
}

/** Starts a run; `firstStepMs`: how long it took to tell of its first step. */
function started(run: string): { readonly firstStepMs: Promise<number>; readonly done: Promise<CliResult> } {
  const from = performance.now();
  const { child, done, text } = startCli(args(run));
  const firstStepMs = new Promise<number>((resolve) => {
    child.stdout?.on('data', () => {
      if (/"event":"(progress|eval|checkpoint|done)"/.test(text().stdout)) resolve(performance.now() - from);
    });
  });
  return { firstStepMs, done };
}

/** Runs to the end from where the run was killed; remembers how long it took to its first step. */
async function resume(run: string): Promise<CliResult> {
  const { firstStepMs, done } = started(run);
  const result = await done;
  assert.equal(result.code, 0, result.stderr);
  restart.add((await firstStepMs) / 1000);
  return result;
}

/** When to kill: a fifth of the kills while the process starts, the others so that the kills of a run lie all over its steps. */
function momentOf(moments: SeededRandom): number {
  return moments.nextFloat() < 0.2 ? moments.nextFloat() * startMs : startMs + (moments.nextFloat() * 2 * trainMs) / KILLS_A_RUN;
}

/** Failpoints of the checkpoint room that a run reaches by itself: not those of a step that is saved twice. */
function failpointsOfRuns(): string[] {
  const source = fileURLToPath(new URL('../../../src/checkpoint/', import.meta.url));
  const text = readdirSync(source).map((file) => readFileSync(join(source, file), 'utf8'));
  const names = [...text.join('\n').matchAll(/failpoint\('(checkpoint\.\w+)'\)/g)].map((match) => match[1]);
  return names.filter((name) => name !== 'checkpoint.beforeReplacedDelete');
}

describe('a run of 2 shards and 2 workers that is killed', () => {
  test(`${KILLS} times with kill -9 at random moments ends bit for bit like one that is not`, async () => {
    const moments = new SeededRandom(11);
    for (let first = 0; first < KILLS; first += KILLS_A_RUN) {
      const kills = Math.min(KILLS_A_RUN, KILLS - first);
      // A run that comes to its end before all its kills starts over in a folder of its own.
      const runs = [`killed-${first}`];
      for (let killed = 0; killed < kills; ) {
        const { child, done } = startCli(args(runs[runs.length - 1]));
        const timer = setTimeout(() => child.kill('SIGKILL'), momentOf(moments));
        const result = await done;
        clearTimeout(timer);
        if (result.signal === 'SIGKILL') killed++;
        else {
          assert.deepEqual(contentOf(result), uncut);
          runs.push(`killed-${first}-${runs.length}`);
        }
      }
      const ended = await resume(runs[runs.length - 1]);
      // Each kill is a trial of its own; what they led to shows at the end of the run.
      for (let kill = 0; kill < kills; kill++) await random.trial(() => assert.deepEqual(contentOf(ended), uncut, runs.join(' ')));
    }
  });

  test('at every failpoint of a save, one after another, ends the same', async () => {
    const names = failpointsOfRuns();
    for (const name of names) {
      const { signal, stderr } = await runCli(args('failpoints'), { env: { MONOLITH_LOCAL_FAILPOINTS: `${name}=kill@1` } });
      assert.equal(signal, 'SIGKILL', `${name} was not reached: ${stderr}`);
    }
    const ended = await resume('failpoints');
    for (const name of names) await atFailpoints.trial(() => assert.deepEqual(contentOf(ended), uncut, name));
  });
});
