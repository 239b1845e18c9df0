import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { Estimator, type PartialTrainingConfig, type TrainHook } from '../../src/index.js';
import { checkpointContent, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickLines, clickSchema } from '../helpers/click-data.js';
import { KafkaBroker, kafkaAbsent } from '../helpers/kafka.js';
import { waitUntil } from '../helpers/wait-until.js';

const LONG = process.env.MONOLITH_TEST_LONG === '1';
const STEPS = LONG ? 160 : 40;
const ROWS = STEPS * 64;
const KILLS = LONG ? 8 : 1;
const lines = clickLines(ROWS, 7);
const absent = kafkaAbsent();

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

function configOf(folder: Folder, run: string, source: string, values: PartialTrainingConfig = {}): PartialTrainingConfig {
  const schema = parse(clickSchema.replace('label:', 'columns: [click, price, user, item, tags], label:')) as never;
  return {
    model: 'deepfm',
    modelOptions: { hidden: [16, 8], dropout: 0.1 },
    embedding: { dim: 4 },
    data: { train: [source], schema, format: 'csv', header: false, parseThreads: 0 },
    batchSize: 32,
    workers: 2,
    ps: 2,
    checkpointEvery: 3,
    maxSteps: STEPS,
    modelDir: folder.in(run),
    quiet: true,
    ...values,
    stream: { enabled: true, sessionTimeoutMs: 4000, order: 'round-robin', ...values.stream },
  };
}

/** What a run is at its end, bit for bit. */
function contentOf(folder: Folder, run: string): unknown {
  const { sections, trainer } = checkpointContent(folder.in(run, `checkpoint-${STEPS}.json`));
  return { sections, trainer };
}

/** Trains in a process of its own and kills it in the midst of it, when it has got so far as to have saved; `meanwhile` happens while it runs. */
async function killed(folder: Folder, run: string, config: PartialTrainingConfig, meanwhile: () => void | Promise<void>): Promise<void> {
  const path = folder.in(`${run}.json`);
  writeFileSync(path, JSON.stringify(config));
  const newest = (): number =>
    Math.max(0, ...readdirSync(folder.in(run)).map((name) => Number(/^checkpoint-(\d+)\.json$/.exec(name)?.[1] ?? 0)));
  const cli = startCli(['train', '--config', path]);
  const before = await waitUntil('a run folder', () => readdirSync(folder.path).includes(run)).then(newest);
  // A first run begins with the file at the path: it must know it before that is renamed. Later ones may have trained all there is.
  if (before > 0) await meanwhile();
  await waitUntil('a checkpoint', () => newest() > before || cli.child.exitCode !== null, 60_000);
  if (before === 0) await meanwhile();
  // Anywhere: in a step, in a write, in a read.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
  cli.child.kill('SIGKILL');
  const { signal, stderr } = await cli.done;
  assert.equal(signal, 'SIGKILL', stderr);
}

async function train(config: PartialTrainingConfig, ...hooks: TrainHook[]): Promise<void> {
  const result = await new Estimator(config).train({ hooks });
  assert.equal(result.step, STEPS);
}

describe('a stream that is killed and started again', { concurrency: true }, () => {
  let folder: Folder;
  before(async () => {
    folder = await temporaryFolder('stream');
  });
  after(() => folder.remove());

  const text = (from: number, to: number): string =>
    lines
      .slice(from, to)
      .map((line) => `${line}\n`)
      .join('');

  test('trains each line of a growing file once, over rotations: what results is that of an uncut run, bit for bit', async () => {
    writeFileSync(folder.in('all.csv'), text(0, ROWS));
    await train(configOf(folder, 'file-uncut', `tail:${folder.in('all.csv')}`));
    const path = folder.in('clicks.log');
    writeFileSync(path, text(0, 400));
    const config = configOf(folder, 'file-cut', `tail:${path}`);
    const share = Math.floor((ROWS - 400) / KILLS / 2);
    for (let kill = 0; kill < KILLS; kill++) {
      const from = 400 + kill * 2 * share;
      await killed(folder, 'file-cut', config, () => {
        appendFileSync(path, text(from, from + share));
        // Every other time: renamed, as log rotation does.
        for (let i = kill; kill % 2 === 0 && i > 0; i -= 2) if (i > 1) renameSync(`${path}.${i - 1}`, `${path}.${i + 1}`);
        if (kill % 2 === 0) renameSync(path, `${path}.1`);
        appendFileSync(path, text(from + share, from + 2 * share));
      });
    }
    appendFileSync(path, text(400 + KILLS * 2 * share, ROWS));
    await train(config);
    assert.deepEqual(contentOf(folder, 'file-cut'), contentOf(folder, 'file-uncut'));
  });

  test('trains each message of a topic once: what results is that of an uncut run, bit for bit', { skip: absent ?? false }, async () => {
    const broker = await KafkaBroker.start(folder.path, { clicks: 2 });
    const put = async (from: number, to: number): Promise<void> => {
      await broker.put(
        'clicks',
        0,
        lines.slice(from, to).filter((_, i) => (from + i) % 2 === 0),
      );
      await broker.put(
        'clicks',
        1,
        lines.slice(from, to).filter((_, i) => (from + i) % 2 === 1),
      );
    };
    await put(0, 600);
    const config = configOf(folder, 'kafka-cut', `kafka://${broker.address}/clicks?group=cut`);
    const share = Math.floor((ROWS - 600) / KILLS);
    for (let kill = 0; kill < KILLS; kill++) {
      await killed(folder, 'kafka-cut', config, () => (kill === KILLS - 1 ? undefined : put(600 + kill * share, 600 + (kill + 1) * share)));
    }
    await put(600 + (KILLS - 1) * share, ROWS);
    let steps = 0;
    await Promise.all([
      train(config, { afterStep: () => void steps++, trigger: { everySteps: 1 } }),
      train(configOf(folder, 'kafka-uncut', `kafka://${broker.address}/clicks?group=uncut`)),
    ]);
    assert.ok(steps < STEPS, 'it went on from a checkpoint');
    assert.deepEqual(contentOf(folder, 'kafka-cut'), contentOf(folder, 'kafka-uncut'));
    assert.deepEqual(await broker.committed('cut', 'clicks'), [ROWS / 2, ROWS / 2]);
    await broker.stop();
  });
});
