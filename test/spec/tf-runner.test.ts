import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  MonolithError,
  readEvents,
  registerSingleTask,
  registerTask,
  resolveTask,
  runTask,
  type TaskContext,
  TaskRegistry,
  type TensorBoardEvent,
  taskNames,
} from '../../src/index.js';
import { type CliResult, lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickSchema, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('tf-runner');
});
after(() => folder.remove());

/** The one event of the one file that an evaluation left; its name is checked. */
function onlyEvent(modelDir: string): TensorBoardEvent {
  const names = readdirSync(join(modelDir, 'eval'));
  assert.equal(names.length, 1, names.join());
  const match = /^events\.out\.tfevents\.(\d{10})\.(.+)\.(\d+)$/.exec(names[0]);
  assert.ok(match, names[0]);
  assert.equal(match[2], hostname());
  assert.ok(Math.abs(Number(match[1]) * 1000 - Date.now()) < 600_000);
  const events = [...readEvents(readFileSync(join(modelDir, 'eval', names[0])), names[0])];
  assert.equal(events.length, 1);
  return events[0];
}

describe('#3a the registry of tasks', () => {
  test('#3a a name without a dot, one that nobody registered and one that is taken are told apart', () => {
    const registry = new TaskRegistry();
    const task = { evaluate: () => ({ step: 0, metrics: { dummy_loss: 0 } }) };
    for (const name of ['nodot', 'a.', '.b', 'a..b', 'a b.c', '']) {
      const expected = { code: 'InvalidConfig', message: new RegExp(`^Invalid model name ${name.replaceAll('.', '\\.')}`) };
      assert.throws(() => registry.register(name, task), expected);
      assert.throws(() => registry.resolve(name), expected);
    }
    registry.register('dummy.task', task);
    assert.equal(registry.resolve('dummy.task'), task);
    assert.throws(() => registry.register('dummy.task', task), {
      code: 'InvalidModel',
      message: /^Duplicate model registered for key dummy\.task/,
    });
    assert.throws(() => registry.resolve('dummy.tusk'), {
      code: 'UnknownModel',
      message: /^Model dummy\.tusk not found; did you mean dummy\.task\?/,
    });
    assert.throws(() => new TaskRegistry().resolve('a.b'), { code: 'UnknownModel', message: /registered: none/ });
  });

  test('#3a tasks and classes of tasks are known to the whole process', () => {
    const task = { config: {} };
    registerTask('registry.one', task);
    class Two {
      readonly parameters = { made: 'when wanted' };
    }
    registerSingleTask('registry.sub', Two);
    assert.equal(resolveTask('registry.one'), task);
    assert.ok(resolveTask('registry.sub.Two') instanceof Two);
    assert.ok(taskNames().includes('registry.sub.Two'));
    assert.ok(taskNames().includes('examples.adult'));
    assert.throws(() => registerSingleTask('registry.sub', Two), { code: 'InvalidModel' });
  });
});

describe('#3a tasks with functions of their own', () => {
  const seen: TaskContext[] = [];
  before(() => {
    registerTask('dummy.task', {
      parameters: { train: { end_date: '20200101', batch: 4 }, accelerator: null },
      train: (context) => {
        seen.push(context);
      },
      evaluate: (context) => {
        seen.push(context);
        return { step: 0, metrics: { dummy_loss: 0 } };
      },
    });
    registerTask('dummy.plain', { parameters: { train: {} }, train: (context) => void seen.push(context) });
    registerTask('dummy.wrong', { evaluate: () => ({ step: 0.5, metrics: {} }) });
  });

  test('#3a eval leaves exactly one event file with one record: the figures as scalars at the step', async () => {
    const modelDir = folder.in('dummy');
    const { eventFile, evaluation } = await runTask({ task: 'dummy.task', modelDir, mode: 'eval' });
    const event = onlyEvent(modelDir);
    assert.deepEqual([event.step, event.scalars], [0, [{ tag: 'dummy_loss', value: 0 }]]);
    assert.deepEqual(evaluation, { step: 0, metrics: { dummy_loss: 0 } });
    assert.equal(eventFile, join(modelDir, 'eval', readdirSync(join(modelDir, 'eval'))[0]));
  });

  test('#3a train makes the run folder and calls the task; train-and-eval evaluates too', async () => {
    const modelDir = folder.in('trained');
    seen.length = 0;
    assert.deepEqual(await runTask({ task: 'dummy.task', modelDir }), { evaluation: null, eventFile: null });
    assert.deepEqual(readdirSync(modelDir), []);
    assert.deepEqual([seen.length, seen[0].mode, seen[0].accelerator, seen[0].config], [1, 'train', 'gpu', null]);
    await runTask({ task: 'dummy.task', modelDir, mode: 'train-and-eval' });
    assert.equal(seen.length, 3);
    assert.equal(onlyEvent(modelDir).scalars?.length, 1);
  });

  test('#3a tpu: the accelerator is set, an end date only where the task has one', async () => {
    seen.length = 0;
    const run = { modelDir: folder.in('tpu'), accelerator: 'tpu', overwriteEndDate: '20240131' } as const;
    await runTask({ ...run, task: 'dummy.task', cpuTest: true });
    await runTask({ ...run, task: 'dummy.plain' });
    await runTask({ ...run, task: 'dummy.task', overwriteEndDate: '' });
    assert.deepEqual(
      seen.map(({ parameters }) => parameters),
      [
        { accelerator: 'tpu', train: { end_date: '20240131', batch: 4 } },
        { accelerator: 'tpu', train: {} },
        { accelerator: 'tpu', train: { end_date: '20200101', batch: 4 } },
      ],
    );
    const refused = { code: 'InvalidConfig', message: /^train_and_eval has not been supported\./ };
    await assert.rejects(runTask({ ...run, task: 'dummy.task', mode: 'train-and-eval' }), refused);
    await assert.rejects(runTask({ ...run, task: 'dummy.task', mode: 'eval', cpuTest: true }), {
      code: 'InvalidConfig',
      message: /^Cpu test can only work with train mode\./,
    });
    await runTask({ ...run, task: 'dummy.task', mode: 'eval' });
    assert.equal(onlyEvent(run.modelDir).scalars?.[0].tag, 'dummy_loss');
  });

  test('#3a what a task can’t do, and what it returns wrong, is an error with its name', async () => {
    const modelDir = folder.in('wrong');
    const message = /^task dummy\.plain has neither a config nor a function `evaluate`/;
    await assert.rejects(runTask({ task: 'dummy.plain', modelDir, mode: 'eval' }), { code: 'InvalidConfig', message });
    assert.ok(!existsSync(modelDir));
    await assert.rejects(runTask({ task: 'dummy.wrong', modelDir, mode: 'eval' }), {
      code: 'InvalidModel',
      message: /^task dummy\.wrong: /,
    });
    assert.ok(!existsSync(join(modelDir, 'eval')));
  });

  test('#3a a name that does not resolve is wrapped', async () => {
    const modelDir = folder.in('none');
    const failure = async (task: string): Promise<MonolithError> => {
      try {
        await runTask({ task, modelDir });
      } catch (error) {
        assert.ok(error instanceof MonolithError);
        return error;
      }
      return assert.fail(`${task} ran`);
    };
    assert.match((await failure('nodot')).message, /^Failed to resolve --task nodot: Invalid model name nodot/);
    assert.match((await failure('no.such')).message, /^Failed to resolve --task no\.such: Model no\.such not found/);
    assert.ok((await failure('nodot')).cause instanceof MonolithError);
  });
});

describe('#3a tf-runner as a process', () => {
  let tasks: string;
  before(() => {
    mkdirSync(folder.in('user'));
    tasks = folder.in('user', 'tasks.js');
    writeClicks(folder.in('train.csv'), 600, 1);
    writeClicks(folder.in('test.csv'), 200, 2);
    const config = `model: lr\ndata: {train: [../train.csv], eval: [../test.csv], schema: ${clickSchema}}\nbatchSize: 32\nepochs: 1\n`;
    writeFileSync(folder.in('user', 'clicks.yaml'), config);
    writeFileSync(folder.in('user', 'package.json'), '{"type": "module"}');
    writeFileSync(
      tasks,
      `import { fileURLToPath } from 'node:url';
      export const tasks = {
        'ads.clicks': { config: fileURLToPath(new URL('./clicks.yaml', import.meta.url)) },
        'dummy.task': { parameters: { train: { end_date: 'x' } }, evaluate: (context) => {
          console.error(JSON.stringify([context.parameters, context.flags['iterations-per-loop'] ?? null]));
          return { step: 7, metrics: { dummy_eval_loss: 0.5 } };
        } },
      };`,
    );
  });
  const run = (...args: string[]): Promise<CliResult> => runCli(['tf-runner', ...args], { cwd: folder.path });

  test('#3a train trains the registered config into the run folder, eval leaves its figures in one event file', async () => {
    const modelDir = folder.in('clicks');
    const task = ['gpu', '--task', 'ads.clicks', '--model-dir', modelDir, '--import', './user/tasks.js'];
    const trained = await run(...task, '--save-checkpoints-steps', '5', '--json');
    assert.equal(trained.code, 0, trained.stderr);
    assert.match(trained.stderr, /^tf-runner gpu: there is no GPU here/m);
    const done = lastEvent(trained) as { event: string; step: number; eval: { auc: number } };
    assert.deepEqual([done.event, done.step], ['done', 10]);
    assert.ok(existsSync(join(modelDir, 'checkpoint-5.json')));
    const evaluated = await run(...task, '--mode', 'eval', '--json', '--quiet');
    assert.equal(evaluated.code, 0, evaluated.stderr);
    const { step, scalars } = onlyEvent(modelDir);
    assert.equal(step, 10);
    const auc = scalars?.find(({ tag }) => tag === 'auc')?.value;
    assert.equal(auc, Math.fround(done.eval.auc));
    assert.equal((lastEvent(evaluated) as { auc: number }).auc, done.eval.auc);
  });

  test('#3a tpu hands its flags to the task and says that there is none', async () => {
    const task = ['tpu', '--task', 'dummy.task', '--model-dir', folder.in('tpu-process'), '--mode', 'eval', '--import', tasks];
    const result = await run(...task, '--iterations-per-loop', '5', '--overwrite-end-date', '20240101');
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, /^tf-runner tpu: there is no TPU here/m);
    assert.match(result.stderr, /^\[\{"train":\{"end_date":"20240101"\},"accelerator":"tpu"\},5\]$/m);
    assert.match(result.stdout, /^step 7: dummy_eval_loss 0\.5/);
    assert.deepEqual(onlyEvent(folder.in('tpu-process')).scalars, [{ tag: 'dummy_eval_loss', value: 0.5 }]);
  });

  test('#3a what is wrong with the command line is said in one line', async () => {
    const at = ['--model-dir', folder.in('refused')];
    const wrong: [string[], RegExp][] = [
      [['gpu', '--task', 'nodot', ...at], /^InvalidConfig {2}Failed to resolve --task nodot: Invalid model name nodot/m],
      [['gpu', '--task', 'examples.adult', ...at, '--cpu-test'], /^InvalidConfig {2}--cpu-test: a flag of tf-runner tpu/m],
      [['gpu', '--task', 'examples.adult', ...at, '--import', 'none.js'], /^InvalidModel {2}--import none\.js: no such file/m],
    ];
    const results = await Promise.all(wrong.map(([args]) => run(...args)));
    for (const [i, { code, stderr }] of results.entries()) {
      assert.equal(code, 2, stderr);
      assert.match(stderr, wrong[i][1]);
    }
    assert.ok(!existsSync(folder.in('refused')));
  });
});
