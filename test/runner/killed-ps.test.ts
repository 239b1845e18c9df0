// Parameter-server processes of one job that are killed again and again. Three kills; MONOLITH_TEST_LONG=1 makes 200.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/base/index.js';
import { Figure, isLong } from '../helpers/board.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, sectionsOf, trainedLocally } from '../helpers/job.js';

type Blow = 'one' | 'both' | 'while it starts';
/** Ten kills. */
const ROUND: readonly Blow[] = ['one', 'one', 'both', 'both', 'while it starts', 'while it starts'];
const KILLS = isLong ? 200 : 3;
const STEPS_BETWEEN = 20;
const epochs = ['--epochs', String(isLong ? 60 : 2)];
const kept = new Figure('R8', 'kills of parameter-server processes: nothing lost, the same bits');

const folder = mkdtempSync(join(tmpdir(), 'monolith-local-killed-ps-'));
const config = join(folder, 'config.yaml');
before(() => {
  writeClicks(join(folder, 'train.csv'), 3000, 1);
  writeClicks(join(folder, 'test.csv'), 400, 2);
  writeFileSync(config, clickConfig(folder));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Blows of so many kills in all. */
function planned(random: SeededRandom): Blow[] {
  if (isLong) return Array.from({ length: KILLS / 10 }, () => shuffled(ROUND, random)).flat();
  return shuffled(['one', random.nextBelow(2) === 0 ? 'both' : 'while it starts'], random);
}

/** A list in an order that follows from the generator. */
function shuffled<T>(list: readonly T[], random: SeededRandom): T[] {
  const left = [...list];
  return list.map(() => left.splice(random.nextBelow(left.length), 1)[0]);
}

test(`R8 parameter servers killed at ${KILLS} random moments and started again lose nothing that was acknowledged: the same bits`, async () => {
  const expected = await trainedLocally(folder, config, ['--workers', '2', '--ps', '2', ...epochs]);
  const seed = Date.now() & 0xffff;
  const random = new SeededRandom(seed);
  const own = (role: string, index: number): string[] => (role === 'ps' ? ['--state-folder', join(folder, `state-${index}`)] : []);
  const job = new Job({ folder: join(folder, 'job'), config, workers: 2, ps: 2, flags: ['--start-timeout-ms', '30000', ...epochs], own });
  try {
    const chief = job.startAll();
    let kills = 0;
    const kill = async (index: number): Promise<void> => {
      kills++;
      await job.restart('ps', index);
    };
    const plan = planned(random);
    for (const [i, what] of plan.entries()) {
      await job.checkpoint(STEPS_BETWEEN * (i + 1));
      await sleep(random.nextBelow(120));
      assert.equal(chief.child.exitCode, null, `the job was over after ${kills} kills`);
      const index = random.nextBelow(2);
      await Promise.all([kill(index), ...(what === 'both' ? [sleep(random.nextBelow(40)).then(() => kill(1 - index))] : [])]);
      if (what === 'while it starts') {
        await sleep(random.nextBelow(1000));
        await kill(index);
      }
    }
    assert.equal(kills, KILLS);
    assert.equal(await chief.exit, 0, `seed ${seed}\n${job.said()}`);
    for (const name of ['ps 0', 'ps 1', 'worker 1']) assert.equal(await job.find(name).exit, 0, `seed ${seed}\n${job.said()}`);
    assert.deepEqual(sectionsOf(job.modelDir), expected, `seed ${seed}\n${job.said()}`);
    for (let i = 0; i < kills; i++) await kept.trial(() => {});
    // The middle one: a machine that does much else at the time is slow to hand over the processor.
    const returns = returnsMs(job);
    assert.ok(returns.length >= plan.length, `${returns.length} returns after ${plan.length} blows\n${job.said()}`);
    assert.ok(returns[returns.length >> 1] <= 2000, `${returns.join(', ')} ms from listening to being reached\n${job.said()}`);
  } finally {
    await job.kill();
  }
});

/** Times between a restarted parameter server's saying where it listens and the chief's having reached it there, ascending. */
function returnsMs(job: Job): number[] {
  const returns = job.find('chief').lines.flatMap(({ ms, text }) => {
    const address = /reached shard \d+ at (\S+) again/.exec(text)?.[1];
    if (address === undefined) return [];
    // Ports come again: the last one that listened there before.
    const listening = job.processes
      .flatMap(({ lines }) => lines.filter((line) => line.text.endsWith(`listening on ${address}`)))
      .map((line) => line.ms)
      .filter((since) => since <= ms);
    assert.ok(listening.length > 0, address);
    return [ms - Math.max(...listening)];
  });
  return returns.sort((a, b) => a - b);
}
