import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { ProfilerHook } from '../../src/index.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

type TraceEvent = { ph: string; name: string; tid: number; ts: number; dur: number; args: { step?: number; name?: string } };

let data: SmallData;
before(async () => {
  data = await smallData('profiler', 1280);
});
after(() => data.remove());

function traceOf(path: string): { events: TraceEvent[]; rows: string[] } {
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as { traceEvents: TraceEvent[] };
  const rows: string[] = [];
  for (const { ph, name, tid, args } of traceEvents) if (ph === 'M' && name === 'thread_name') rows[tid] = String(args.name);
  return { events: traceEvents.filter(({ ph }) => ph === 'X'), rows };
}

for (const shardWork of ['threads', 'in-place'] as const) {
  test(`a profile covers its steps: a row a thread, its stages one after the other (${shardWork})`, async () => {
    const run = `covers-${shardWork}`;
    await data.estimator(run, { workers: 2, ps: 2, shardWork }).train({ hooks: [new ProfilerHook(5, 9, { cpuProfiles: false })] });
    assert.deepEqual(readdirSync(data.in(run, 'profile')), ['steps-5-9.trace.json']);
    const { events, rows } = traceOf(data.in(run, 'profile', 'steps-5-9.trace.json'));
    assert.deepEqual(rows, ['main', 'worker 0', 'worker 1', 'shard 0', 'shard 1']);
    const stepsOf = (row: string, stage: string): number[] => [
      ...new Set(events.filter(({ tid, name }) => rows[tid] === row && name === stage).map(({ args }) => Number(args.step))),
    ];
    for (const row of ['worker 0', 'worker 1']) {
      for (const stage of ['lookup', 'compute', 'push']) assert.deepEqual(stepsOf(row, stage), [5, 6, 7, 8, 9], `${row} ${stage}`);
    }
    for (const row of ['shard 0', 'shard 1']) {
      assert.deepEqual(stepsOf(row, 'shard_lookup'), [5, 6, 7, 8, 9], row);
      assert.deepEqual(
        stepsOf(row, 'shard_apply').filter((step) => !Number.isNaN(step)),
        [5, 6, 7, 8, 9],
        row,
      );
    }
    for (const stage of ['read data', 'send out']) assert.ok(stepsOf('main', stage).length >= 4, stage);
    assert.ok(events.every(({ ts, dur }) => ts >= 0 && dur >= 0));
    // What one worker does in a step has an order, on one clock.
    for (let step = 5; step <= 9; step++) {
      const of = (name: string): TraceEvent =>
        events.find((event) => rows[event.tid] === 'worker 1' && event.name === name && event.args.step === step) as TraceEvent;
      assert.ok(of('lookup').ts + of('lookup').dur <= of('compute').ts + 0.01);
      assert.ok(of('compute').ts + of('compute').dur <= of('push').ts + 0.01);
    }
  });
}

test('a profile of one step at the end of a run, with the functions of every thread; no bit of the result changes', async () => {
  const plain = await data.estimator('plain', { maxSteps: 7 }).train();
  const profiled = await data.estimator('profiled', { maxSteps: 7, profileSteps: '7..12' }).train();
  assert.equal(profiled.loss, plain.loss);
  const folder = data.in('profiled', 'profile');
  const files = readdirSync(folder);
  for (const thread of ['main', 'worker-0', 'ps-0']) {
    const name = `steps-7-12.${thread}.cpuprofile`;
    assert.ok(files.includes(name), `${name} in ${files.join(', ')}`);
    const { nodes, samples, startTime, endTime } = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as {
      nodes: unknown[];
      samples: unknown[];
      startTime: number;
      endTime: number;
    };
    assert.ok(nodes.length > 0 && Array.isArray(samples) && endTime > startTime);
  }
  const { events } = traceOf(`${folder}/steps-7-12.trace.json`);
  assert.deepEqual([...new Set(events.filter(({ name }) => name === 'compute').map(({ args }) => args.step))], [7]);
});

test('a range that makes no sense is refused', () => {
  for (const [first, last] of [
    [0, 3],
    [4, 3],
    [1.5, 3],
  ]) {
    assert.throws(() => new ProfilerHook(first, last), /expected steps first\.\.last with 1 ≤ first ≤ last/);
  }
  assert.throws(() => data.estimator('x', { profileSteps: '9..3' }), /profileSteps.*expected first\.\.last/);
});
