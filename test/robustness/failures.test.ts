import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Figure } from '../helpers/board.js';
import { callCli, checkpointContent, lastEvent, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

const fullDisks = new Figure('R5', 'disks really full: DiskFull with path and bytes, room lets it go on');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('failures');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 300, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path));
});
after(() => folder.remove());

/** A model file with a layer of its own that does `action` in worker threads when its forward pass runs for the `call`-th time. */
function modelFile(name: string, action: string, call: number): string {
  const path = folder.in(name);
  writeFileSync(
    path,
    `import { isMainThread } from 'node:worker_threads';
     let calls = 0;
     const trap = {
       kind: 'trap', outputShape: [1], parameters: [], wholeBatch: false, backwardReads: { inputs: false, output: false },
       scratchLength: () => 0,
       bind(buffers) { this.buffers = buffers; },
       forward(chunk) { if (!isMainThread && ++calls === ${call}) { ${action} } this.buffers.output.set(this.buffers.inputs[0].subarray(0, chunk.rows)); },
       backward(chunk) { const d = this.buffers.dInputs[0]; for (let i = 0; i < chunk.rows; i++) d[i] = (this.buffers.accumulate[0] ? d[i] : 0) + this.buffers.dOutput[i]; },
     };
     export const model = { name: 'trapped', build: (b) => b.layer({ ...trap }, [b.linear()]) };`,
  );
  return path;
}

describe('a thread that dies in the middle of a run', () => {
  for (const [how, action, code, pattern] of [
    ['exits', 'process.exit(9)', 5, /^WorkerDied {2}worker \d ended with exit code 9 in the middle of the run/m],
    ['throws', "throw new Error('layer broke')", 5, /^WorkerDied {2}worker \d threw .*layer broke/m],
  ] as const) {
    test(`because it ${how} ends the run and is named; the same command goes on from the checkpoint`, async () => {
      const run = ['train', folder.in('run.yaml'), '--json', '--model-options', '{}', '--model-dir', folder.in(`run-${how}`)];
      const result = await callCli([...run, '--model', modelFile(`dies-${how}.mjs`, action, 40)]);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, pattern);
      const again = await callCli([...run, '--model', modelFile(`lives-${how}.mjs`, '', 0)]);
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stdout, /"resumed_step":20/);
    });
  }
});

describe("a user's model that fails while it is built", () => {
  for (const [where, condition] of [
    ['everywhere', 'true'],
    ['in worker threads only', '!isMainThread'],
  ] as const) {
    test(`${where} is InvalidModel with the file's name; nothing is written`, async () => {
      const file = folder.in(`unbuilt-${condition.length}.mjs`);
      const build = `(b) => { if (${condition}) throw new Error('cannot be built'); return b.linear(); }`;
      writeFileSync(
        file,
        `import { isMainThread } from 'node:worker_threads';\nexport const model = { name: 'unbuilt', build: ${build} };\n`,
      );
      const run = folder.in(`unbuilt-${condition.length}`);
      const result = await callCli(['train', folder.in('run.yaml'), '--model-options', '{}', '--model', file, '--model-dir', run]);
      assert.equal(result.code, 2, result.stderr);
      assert.match(result.stderr, /^InvalidModel {2}.*unbuilt.*cannot be built/m);
      assert.equal(existsSync(run), false);
    });
  }
});

describe('a listener that goes away', () => {
  test('from standard error does not end the run', async () => {
    const run = startCli(['train', folder.in('run.yaml'), '--model-dir', folder.in('unheard'), '--epochs', '1']);
    run.child.stderr?.destroy();
    const result = await run.done;
    assert.equal(result.code, 0);
    assert.match(result.stdout, /checkpoint .*checkpoint-47\.json/);
  });
});

describe('a full disk', () => {
  test('under the run folder is DiskFull with exit code 4; the last checkpoint stays whole and space lets the run go on', async (t) => {
    const disk = folder.in('disk');
    mkdirSync(disk);
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { encoding: 'utf8' });
    if (mount.status !== 0) {
      fullDisks.skip('no tmpfs can be mounted here');
      t.skip(`no tmpfs can be mounted here: ${mount.stderr.trim()}`);
      return;
    }
    try {
      await fullDisks.trial(async () => {
        const run = ['train', folder.in('run.yaml'), '--json', '--model-dir', `${disk}/run`, '--keep-checkpoints', '50'];
        const result = await callCli([...run, '--checkpoint-every', '4']);
        assert.equal(result.code, 4, result.stderr);
        assert.match(result.stderr, /^DiskFull {2}.*run/m);
        assert.deepEqual(
          readdirSync(`${disk}/run`).filter((name) => /tmp/.test(name)),
          [],
        );
        assert.equal((await callCli(['inspect', `${disk}/run`, '--verify'])).code, 0);
        spawnSync('mount', ['-o', 'remount,size=20m', disk]);
        const again = await callCli([...run, '--checkpoint-every', '20']);
        assert.equal(again.code, 0, again.stderr);
        const uncut = await callCli(['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in('uncut')]);
        assert.deepEqual(
          checkpointContent(String(lastEvent(again).checkpoint)).sections,
          checkpointContent(String(lastEvent(uncut).checkpoint)).sections,
        );
      });
    } finally {
      spawnSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });
});
