// Workers and shards over message streams: the result is that of shards called directly, whatever happens to the messages.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { duplexPair, type MessageDuplex, ShardBridge, ShardJob, ShardRuntime, ShardStreamServer } from '../../src/ps/index.js';
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
          { job: 'job', numShards: spec.layout.numShards, peerTimeoutMs: 10_000 },
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
    { mode: 'async', workers: 1, numShards: 2, prefetch: 0 },
    { mode: 'async', workers: 3, numShards: 2, prefetch: 2, staleness: 2, exact: true },
  ] satisfies ScriptOptions[]) {
    test(`give the rows and dense values of shards called directly: ${JSON.stringify(options)}`, async () => {
      assert.equal(await runOverStreams(options), undisturbed(options));
    });
  }
});
