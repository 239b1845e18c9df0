// Shards in processes' clothes: hosts over gRPC, the chief's calls, and restarts out of the state folder.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { RemoteShard, rpcControl, type ShardJob } from '../../src/ps-rpc/index.js';
import { makeRows } from '../../src/ps-rpc/stream/shard-runtime.js';
import { type Hosted, startHost, startJob, stopHost } from '../helpers/hosted-job.js';
import { ScriptedWorkers, type ScriptOptions, scriptSpec, stateOf, undisturbed } from '../helpers/scripted-job.js';

const runtimeOf = ({ host }: Hosted): ShardJob['runtime'] => (host.streams.current as ShardJob).runtime;

async function withFolders(count: number, act: (folders: string[]) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'monolith-shard-'));
  try {
    await act(Array.from({ length: count }, (_, i) => join(root, `shard-${i}`)));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

describe('shards in hosts over gRPC', () => {
  test('give the result of shards called directly; sizes, dumps and dense values come back; the end is told', async () => {
    const options: ScriptOptions = { workers: 2, numShards: 2 };
    const hosts = [await startHost(0, 2), await startHost(1, 2)];
    const workers = new ScriptedWorkers(options);
    const { remotes, bridges } = await startJob(workers, (s) => hosts[s].server.address);
    try {
      await Promise.race([workers.run(), ...bridges.map(({ failed }) => failed)]);
      assert.equal(stateOf(hosts.map(runtimeOf)), undisturbed(options));
      const parameters = new Float32Array(workers.spec.layout.parametersLength);
      const state = new Float32Array(workers.spec.denseStateLength);
      for (const [s, remote] of remotes.entries()) {
        const runtime = runtimeOf(hosts[s]);
        const { rows } = await remote.sizes();
        assert.deepEqual(rows, runtime.sizes().rows);
        const dumped = await remote.dump(0, 1, 1);
        assert.deepEqual(dumped, runtime.dump(0, 1, 1));
        await remote.readDense(parameters, state);
        for (const { offset, length } of runtime.owned) {
          assert.deepEqual(parameters.subarray(offset, offset + length), runtime.parameters.subarray(offset, offset + length));
        }
      }
      // Rows of all shards go into a job with another number of shards and come out the same.
      const before = await Promise.all(remotes.map((remote) => remote.dump(0, 0, 0)));
      for (const remote of remotes) {
        await remote.clear();
        for (const rows of before) await remote.load(0, rows);
      }
      assert.deepEqual(await Promise.all(remotes.map((remote) => remote.dump(0, 0, 0))), before);
      await Promise.all(remotes.map((remote) => remote.finish()));
      await Promise.all(hosts.map(({ host }) => host.finished));
    } finally {
      for (const bridge of bridges) bridge.close();
      workers.stop();
      await Promise.all(hosts.map(stopHost));
    }
  });

  test('dense values that the chief writes reach every worker before later rows', async () => {
    const host = await startHost(0, 1);
    const workers = new ScriptedWorkers({ workers: 2, numShards: 1, steps: 1, prefetch: 0 });
    const { remotes, bridges } = await startJob(workers, () => host.server.address);
    try {
      const { state } = workers.initialDense();
      const values = new Float32Array(workers.spec.layout.parametersLength).fill(0.25);
      await remotes[0].writeDense(values, state);
      await workers.run(10_000, () => {
        for (const { parameters } of workers.workers) {
          for (const { offset, length } of workers.spec.tensors) assert.equal(parameters[offset + length - 1], 0.25);
        }
      });
    } finally {
      for (const bridge of bridges) bridge.close();
      workers.stop();
      await stopHost(host);
    }
  });

  for (const mode of ['sync', 'async'] as const) {
    test(`a host that is stopped and started again with its state folder goes on, several times, in ${mode} mode: same result`, async () => {
      const options: ScriptOptions = {
        mode,
        workers: 2,
        numShards: 2,
        prefetch: mode === 'sync' ? 2 : 1,
        exact: mode === 'async',
        steps: 12,
      };
      await withFolders(2, async (folders) => {
        const start = (s: number): Promise<Hosted> => startHost(s, 2, { stateFolder: folders[s], journalBytes: 1_500_000 });
        const hosts = [await start(0), await start(1)];
        const workers = new ScriptedWorkers(options);
        const { remotes, bridges } = await startJob(workers, (s) => hosts[s].server.address);
        try {
          const running = workers.run(20_000, async (step) => {
            if (step % 3 !== 1) return;
            const s = (step / 3) % 2 < 1 ? 0 : 1;
            await stopHost(hosts[s]);
            hosts[s] = await start(s);
          });
          await Promise.race([running, ...bridges.map(({ failed }) => failed)]);
          assert.equal(stateOf(hosts.map(runtimeOf)), undisturbed(options));
          await Promise.all(remotes.map((remote) => remote.finish()));
          assert.deepEqual(
            folders.flatMap((folder) => readdirSync(folder)),
            [],
          );
        } finally {
          for (const bridge of bridges) bridge.close();
          workers.stop();
          await Promise.all(hosts.map(stopHost));
        }
      });
    });
  }

  test('a shard that was restarted without its state ends the run with an error that says so', async () => {
    const first = await startHost(0, 1);
    let host = first;
    const workers = new ScriptedWorkers({ workers: 1, numShards: 1 });
    const { bridges } = await startJob(workers, () => host.server.address);
    try {
      const running = workers.run(5000, async (step) => {
        if (step !== 3) return;
        await stopHost(first);
        host = await startHost(0, 1);
      });
      running.catch(() => {});
      await assert.rejects(bridges[0].failed, (error: MonolithError) => {
        assert.equal(error.code, 'FailedPrecondition');
        assert.match(
          error.message,
          /shard 0 at 127\.0\.0\.1:\d+: shard 0 does not have job job: it has none\. The process was restarted without its state/,
        );
        return true;
      });
    } finally {
      for (const bridge of bridges) bridge.close();
      workers.stop();
      await stopHost(host);
    }
  });

  test('a shard that stays away ends the run within the peer timeout with an error that names it', async () => {
    const host = await startHost(0, 1);
    const workers = new ScriptedWorkers({ workers: 1, numShards: 1 });
    const { address } = host.server;
    const { bridges } = await startJob(workers, () => address, 'job', 1500);
    try {
      let stopped = 0;
      workers
        .run(20_000, async (step) => {
          if (step !== 3) return;
          await stopHost(host);
          stopped = performance.now();
        })
        .catch(() => {});
      await assert.rejects(bridges[0].failed, (error: MonolithError) => {
        assert.equal(error.code, 'Unavailable');
        assert.ok(error.message.startsWith(`shard 0 at ${address} has not been there for 1500 ms`), error.message);
        return true;
      });
      const tookMs = performance.now() - stopped;
      assert.ok(tookMs < 2500 + 1500, `${tookMs} ms`);
    } finally {
      for (const bridge of bridges) bridge.close();
      workers.stop();
    }
  });

  test('a second chief does not take a shard from a job whose chief is at work, and gets it when that one is gone', async () => {
    const options: ScriptOptions = { workers: 2, numShards: 1 };
    const host = await startHost(0, 1);
    const workers = new ScriptedWorkers(options);
    const { bridges } = await startJob(workers, () => host.server.address);
    const second = (peerTimeoutMs: number): RemoteShard =>
      new RemoteShard(rpcControl({ resolveAddress: () => Promise.resolve(host.server.address) }), {
        job: 'second',
        shard: 0,
        spec: workers.spec,
        peerTimeoutMs,
      });
    try {
      await assert.rejects(second(200).configure(), (error: MonolithError) => {
        assert.equal(error.code, 'FailedPrecondition');
        assert.match(error.message, /shard 0 works for job job, whose chief is connected, and does not take job second/);
        return true;
      });
      await Promise.race([workers.run(), ...bridges.map(({ failed }) => failed)]);
      assert.equal(stateOf([runtimeOf(host)]), undisturbed(options));
      const waiting = second(20_000).configure();
      for (const bridge of bridges) bridge.close();
      await waiting;
      assert.equal(host.host.streams.current?.id, 'second');
    } finally {
      for (const bridge of bridges) bridge.close();
      workers.stop();
      await stopHost(host);
    }
  });

  test('specs and calls that are wrong are refused, and name what is wrong', async () => {
    const host = await startHost(1, 3);
    const good = scriptSpec({ numShards: 3 });
    const refused = async (change: object, code: string, pattern: RegExp, shard = 1): Promise<void> => {
      const spec = { ...good, ...change } as typeof good;
      const remote = new RemoteShard(rpcControl({ resolveAddress: () => Promise.resolve(host.server.address) }), {
        job: 'j',
        shard,
        spec: good,
        peerTimeoutMs: 5000,
      });
      Object.assign(remote, { options: { job: 'j', shard, spec, peerTimeoutMs: 5000 } });
      await assert.rejects(remote.configure(), (error: MonolithError) => {
        assert.equal(error.code, code);
        assert.match(error.message, pattern);
        return true;
      });
    };
    try {
      await refused({ mode: 'fast' }, 'InvalidConfig', /mode is "fast", expected "sync" or "async"/);
      await refused({ workers: 1e9 }, 'InvalidConfig', /workers is 1000000000, expected a whole number in 1\.\.4096/);
      await refused({ layout: { ...good.layout, numShards: 2 } }, 'InvalidConfig', /2 shards, this process is shard 1 of 3/);
      await refused({ tables: [] }, 'InvalidConfig', /layout\.tables is 3, expected one entry for each of the 0 tables/);
      await refused({ tensors: [{ ...good.tensors[0], offset: 1e9 }] }, 'InvalidConfig', /tensors\[0\]\.offset/);
      await refused(
        { clip: { value: 0, globalNorm: Number.NaN, rowNorm: 0 } },
        'InvalidConfig',
        /clip\.globalNorm is null, expected a finite number/,
      );
      await refused({ denseStateLength: 5 }, 'InvalidConfig', /denseStateLength is 5/);
      await refused(
        { layout: { ...good.layout, tables: good.layout.tables.map((table) => ({ ...table, maxIds: 2 ** 31 - 1 })) } },
        'InvalidConfig',
        /more address space/,
      );
      await refused(
        { mode: 'async', clip: { value: 0, globalNorm: 1, rowNorm: 0 } },
        'InvalidConfig',
        /clip\.globalNorm 1: .*use one PS process/,
      );
      await refused({}, 'InvalidConfig', /a call for shard 2 came to shard 1/, 2);
      const remote = new RemoteShard(rpcControl({ resolveAddress: () => Promise.resolve(host.server.address) }), {
        job: 'other',
        shard: 1,
        spec: good,
        peerTimeoutMs: 5000,
      });
      await assert.rejects(remote.sizes(), /does not have job other: it has none/);
    } finally {
      await stopHost(host);
    }
  });

  /** One host with a state folder, and the chief's end of it. */
  async function withKept(
    act: (kept: { remote: RemoteShard; restart: (shard?: number) => Promise<Hosted>; rows: () => Promise<number> }) => Promise<void>,
  ) {
    await withFolders(1, async ([stateFolder]) => {
      const start = (shard: number): Promise<Hosted> => startHost(shard, 1, { stateFolder, journalBytes: 4096 });
      let hosted = await start(0);
      const spec = scriptSpec({ workers: 1, numShards: 1 });
      const resolveAddress = (): Promise<string> => Promise.resolve(hosted.server.address);
      const remote = new RemoteShard(rpcControl({ resolveAddress }), { job: 'job', shard: 0, spec, peerTimeoutMs: 5000 });
      try {
        await remote.configure();
        await act({
          remote,
          restart: async (shard = 0) => {
            await stopHost(hosted);
            hosted = await start(shard);
            return hosted;
          },
          rows: async () => (await remote.sizes()).rows[0],
        });
      } finally {
        remote.close();
        await stopHost(hosted);
      }
    });
  }

  /** Rows of the first table of {@link scriptSpec}, with fids from `first` on. */
  function someRows(width: number, first: number, count: number): ReturnType<typeof makeRows> {
    const rows = makeRows(count, width);
    for (let i = 0; i < count; i++) rows.fids[i] = BigInt(first + i);
    return rows;
  }

  test('a snapshot that is asked for again while it is made is made again, and ends no run', () =>
    withKept(async ({ remote }) => {
      await Promise.all([remote.committed(1), remote.committed(1), remote.committed(1)]);
    }));

  test('rows that come while snapshots are made outlive the process', () =>
    withKept(async ({ remote, restart, rows }) => {
      const { tables } = (await restart()).host.streams.current?.runtime ?? assert.fail('no job');
      const width = tables[0].dim + tables[0].stateLength;
      const loads: Promise<void>[] = [];
      for (let i = 0; i < 40; i++) {
        loads.push(remote.load(0, someRows(width, i * 50, 50)), ...(i % 8 === 0 ? [remote.committed(0)] : []));
      }
      await Promise.all(loads);
      assert.equal(await rows(), 2000);
      await restart();
      assert.equal(await rows(), 2000);
    }));

  test("another shard's state folder is refused, with its name", () =>
    withKept(async ({ restart }) => {
      await assert.rejects(restart(1), (error: MonolithError) => {
        assert.equal(error.code, 'InvalidConfig');
        assert.match(
          error.message,
          /snapshot-\d+\.bin is the state of shard 0, this process is shard 1: give each --index its own --state-folder/,
        );
        return true;
      });
      await restart(0);
    }));

  test('the end of a job may be told twice, also to a process that came after the first', () =>
    withKept(async ({ remote, restart }) => {
      await remote.finish();
      const again = await restart();
      await remote.finish();
      await again.host.finished;
    }));

  test('a discovery that is down for a while ends no call of the chief', async () => {
    const hosted = await startHost(0, 1);
    let down = 3;
    const resolveAddress = (): Promise<string> =>
      down-- > 0 ? Promise.reject(new MonolithError('Discovery', 'the discovery is down')) : Promise.resolve(hosted.server.address);
    const spec = scriptSpec({ workers: 1, numShards: 1 });
    const remote = new RemoteShard(rpcControl({ resolveAddress }), { job: 'job', shard: 0, spec, peerTimeoutMs: 5000 });
    try {
      await remote.configure();
      assert.ok(down < 0);
    } finally {
      remote.close();
      await stopHost(hosted);
    }
  });
});
