// Workers and shards over message streams: the result is that of shards called directly, whatever happens to the messages.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  duplexPair,
  type MessageDuplex,
  NormMeeting,
  ShardBridge,
  ShardJob,
  ShardRuntime,
  ShardStreamServer,
} from '../../src/ps-rpc/index.js';
import { isLong } from '../helpers/board.js';
import { FaultyWire, type WireFaults } from '../helpers/faulty-wire.js';
import { backend, ScriptedWorkers, type ScriptOptions, stateOf, undisturbed } from '../helpers/scripted-job.js';

type Wire = (worker: number, shard: number, ends: [MessageDuplex, MessageDuplex]) => [MessageDuplex, MessageDuplex];

async function runOverStreams(options: ScriptOptions, wire: Wire = (_w, _s, ends) => ends): Promise<string> {
  const workers = new ScriptedWorkers(options);
  const { spec } = workers;
  const servers = Array.from({ length: spec.layout.numShards }, (_, shard) => {
    const server = new ShardStreamServer(shard);
    const job = new ShardJob('job', new ShardRuntime(spec, shard, backend), null);
    const { parameters, state } = workers.initialDense();
    job.runtime.parameters.set(parameters);
    job.runtime.denseState.set(state);
    server.setJob(job);
    return server;
  });
  const norms = new NormMeeting(spec.layout.numShards);
  const bridges = workers.workers.flatMap(({ lines }, w) =>
    lines.map(
      (line, s) =>
        new ShardBridge(
          line,
          () => {
            const [near, far] = wire(w, s, duplexPair(`memory-${s}`, `worker-${w}`));
            servers[s].accept(far);
            return Promise.resolve(near);
          },
          { job: 'job', numShards: spec.layout.numShards, peerTimeoutMs: 10_000, ...(w === 0 && { norms }) },
        ),
    ),
  );
  try {
    await Promise.all(bridges.map((bridge) => bridge.ready));
    await Promise.race([workers.run(), ...bridges.map((bridge) => bridge.failed)]);
    return stateOf(servers.map(({ current }) => (current as ShardJob).runtime));
  } finally {
    for (const bridge of bridges) bridge.close();
    workers.stop();
  }
}

describe('workers and shards over streams', () => {
  for (const options of [
    { workers: 1, numShards: 1 },
    { workers: 2, numShards: 2, prefetch: 0 },
    { workers: 3, numShards: 2, prefetch: 2 },
    { workers: 2, numShards: 1, ids: 25_000, vocabulary: 100_000, steps: 2 },
    { workers: 2, numShards: 3, prefetch: 2, globalNorm: 0.5 },
    { mode: 'async', workers: 1, numShards: 2, prefetch: 0 },
    { mode: 'async', workers: 3, numShards: 2, prefetch: 2, staleness: 2, exact: true },
  ] satisfies ScriptOptions[]) {
    test(`give the rows and dense values of shards called directly: ${JSON.stringify(options)}`, async () => {
      assert.equal(await runOverStreams(options), undisturbed(options));
    });
  }
});

describe('workers and shards over streams that misbehave', () => {
  const cases: { name: string; faults: WireFaults; expected: (counts: FaultyWire['counts']) => boolean }[] = [
    { name: 'each message 1 to 5 times', faults: { copies: 5 }, expected: ({ repeated }) => repeated > 50 },
    { name: 'out of order and late', faults: { lateness: 40 }, expected: ({ late }) => late > 50 },
    { name: 'cut now and then', faults: { cut: 0.05 }, expected: ({ cuts }) => cuts > 3 },
    { name: 'without some answers, then cut', faults: { dropAnswers: 0.08 }, expected: ({ vanished, cuts }) => vanished > 5 && cuts > 3 },
    {
      name: 'all of it',
      faults: { copies: 5, lateness: 20, cut: 0.02, dropAnswers: 0.02 },
      expected: ({ cuts, repeated }) => cuts > 3 && repeated > 50,
    },
  ];
  for (const options of [
    { workers: 2, numShards: 2, prefetch: 1, steps: 16, ids: 120 },
    { workers: 2, numShards: 2, prefetch: 1, steps: 16, ids: 120, globalNorm: 0.5 },
    { mode: 'async', workers: 2, numShards: 2, prefetch: 1, staleness: 2, exact: true, steps: 16, ids: 120 },
  ] satisfies ScriptOptions[]) {
    const expected = undisturbed(options);
    for (const { name, faults, expected: enough } of cases) {
      test(`${options.mode ?? 'sync'}${'globalNorm' in options ? ' clipped' : ''}, ${name}: every push is applied exactly once`, async () => {
        const counts = { repeated: 0, late: 0, vanished: 0, cuts: 0 };
        // One seed as a rule; more where it made too few faults, or in the long form.
        for (let seed = 1; seed <= (isLong ? 9 : 3) && (isLong || !enough(counts)); seed++) {
          const wire = new FaultyWire(seed, faults);
          assert.equal(await runOverStreams(options, (_w, _s, ends) => wire.between(ends)), expected, `seed ${seed}`);
          for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += wire.counts[key];
        }
        assert.ok(enough(counts), JSON.stringify(counts));
      });
    }
  }
});
