import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { LocalCluster } from '../../src/cluster/index.js';
import { type PartialTrainingConfig, resolveConfig } from '../../src/config/index.js';
import { loadModel } from '../../src/models/index.js';
import { availableCores } from '../../src/sharedarraybuffer-ring/index.js';
import { planOfRun, planRun, type TableRows } from '../../src/training/index.js';
import { shardWorkChoices } from '../helpers/shard-work.js';
import { fillStep, flatLayout } from '../helpers/synthetic.js';

const inputs = {
  dense: ['d0', 'd1', 'd2'],
  sparse: ['a', 'b', 'c', 'd'].map((name) => ({ name, combiner: 0 as const })),
};

async function startCluster(values: PartialTrainingConfig): Promise<LocalCluster> {
  const { config } = resolveConfig({ values: { batchSize: 64, stepTimeoutMs: 10_000, ...values } });
  const definition = await loadModel(config.model);
  const plan = planOfRun(config, definition, inputs);
  const layout = flatLayout(
    config.batchSize,
    inputs.dense.length,
    plan.tables.map((table) => table.features.length),
  );
  return LocalCluster.start(planRun(config, config.model, definition, inputs, plan, layout));
}

async function trainSteps(cluster: LocalCluster, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    fillStep(await cluster.acquire(), 5, step, 300);
    await cluster.submitTrain(step);
  }
  await cluster.sync();
}

/** A hash of everything learnt, independent of where rows lie. */
async function fingerprint(cluster: LocalCluster): Promise<string> {
  const hash = createHash('sha256');
  hash.update(new Uint8Array(cluster.parameters.buffer, cluster.parameters.byteOffset, cluster.parameters.byteLength).slice());
  hash.update(new Uint8Array(cluster.denseState.buffer, cluster.denseState.byteOffset, cluster.denseState.byteLength).slice());
  for (let table = 0; table < cluster.spec.tables.length; table++) {
    const rows = new Map<bigint, string>();
    for (const part of await cluster.dump(table, 0, 0)) {
      const width = part.records.length / Math.max(1, part.count);
      for (let i = 0; i < part.count; i++) {
        const record = part.records.slice(i * width, (i + 1) * width);
        rows.set(part.fids[i], `${part.timestamps[i]} ${Buffer.from(record.buffer).toString('hex')}`);
      }
    }
    const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [fid, record] of sorted) hash.update(`${fid} ${record}\n`);
  }
  return hash.digest('hex');
}

async function dumpForEver(cluster: LocalCluster): Promise<never> {
  for (;;) await cluster.dump(0, 0, 0);
}

async function trainedFingerprint(values: PartialTrainingConfig, steps = 12): Promise<string> {
  const cluster = await startCluster(values);
  try {
    await trainSteps(cluster, 0, steps);
    return await fingerprint(cluster);
  } finally {
    await cluster.close();
  }
}

describe('a local cluster in synchronous mode', () => {
  for (const workers of [1, 2]) {
    test(`gives the same bits for 1, 2 and 3 shards, whoever does their work, and again, with ${workers} worker(s)`, async () => {
      const results = new Set<string>();
      for (const shardWork of shardWorkChoices())
        for (const ps of [1, 2, 3, 2])
          results.add(await trainedFingerprint({ model: 'dlrm', modelOptions: { bottom: [16], top: [16] }, workers, ps, shardWork }));
      assert.equal(results.size, 1);
    });
  }

  test('gives the same bits in place with more workers than cores, and with shards that no worker calls its own', async () => {
    const values: PartialTrainingConfig = { model: 'deepfm', modelOptions: { hidden: [16] }, workers: 5 };
    const results = new Set<string>();
    for (const shardWork of shardWorkChoices())
      for (const ps of [2, 7]) results.add(await trainedFingerprint({ ...values, ps, shardWork }));
    assert.equal(results.size, 1);
  });

  test('counts the work of shards, whoever does it', async () => {
    for (const shardWork of shardWorkChoices()) {
      const cluster = await startCluster({ model: 'fm', shardWork });
      try {
        await trainSteps(cluster, 0, 20);
        assert.equal(cluster.spec.shardWork, shardWork);
        const times = cluster.stageTimes();
        assert.ok(times.shard_lookup > 0 && times.shard_apply > 0, `${shardWork}: ${JSON.stringify(times)}`);
        assert.equal(times.shard_refresh > 0, shardWork === 'threads');
      } finally {
        await cluster.close();
      }
    }
  });

  test('gives the same bits for every number of shards with clipping by global norm, row norm and dropout', async () => {
    const values: PartialTrainingConfig = {
      model: 'deepfm',
      modelOptions: { hidden: [16, 8], dropout: 0.2, batchNorm: true },
      clip: { globalNorm: 0.05, rowNorm: 0.01 },
    };
    const one = await trainedFingerprint({ ...values, ps: 1 });
    for (const shardWork of shardWorkChoices()) assert.equal(await trainedFingerprint({ ...values, ps: 3, shardWork }), one);
  });

  test('another seed gives another result', async () => {
    assert.notEqual(await trainedFingerprint({ model: 'fm', seed: 1 }, 3), await trainedFingerprint({ model: 'fm', seed: 2 }, 3));
  });

  test('the loss falls, and a worker without examples in the last step does no harm', async () => {
    const cluster = await startCluster({
      model: 'deepfm',
      modelOptions: { hidden: [16] },
      optimizer: { sparse: { kind: 'adagrad', learningRate: 0.1 } },
    });
    try {
      for (let step = 0; step < 30; step++) {
        const slots = await cluster.acquire();
        fillStep(slots, 5, 0, 50);
        if (step === 29) {
          slots[1].header[0] = 0;
          slots[1].header[8] = 0;
          for (const slot of slots) slot.header[1] = slots[0].header[0];
        }
        await cluster.submitTrain(step);
      }
      await cluster.sync();
      assert.ok(cluster.lossOf(28) < 0.85 * cluster.lossOf(0), `${cluster.lossOf(28)} against ${cluster.lossOf(0)}`);
      assert.ok(Number.isFinite(cluster.lossOf(29)));
    } finally {
      await cluster.close();
    }
  });

  test('rows dumped from three shards and loaded into two continue bit for bit', async () => {
    const values: PartialTrainingConfig = { model: 'fm', workers: 2 };
    const uncut = await trainedFingerprint({ ...values, ps: 2 }, 10);
    const first = await startCluster({ ...values, ps: 3 });
    let rows: TableRows[] = [];
    let parameters = new Float32Array();
    let state = new Float32Array();
    try {
      await trainSteps(first, 0, 6);
      rows = [...(await first.dump(0, 0, 0))];
      parameters = Float32Array.from(first.parameters);
      state = Float32Array.from(first.denseState);
    } finally {
      await first.close();
    }
    const second = await startCluster({ ...values, ps: 2 });
    try {
      second.parameters.set(parameters);
      second.denseState.set(state);
      for (const part of rows) await second.load(0, part);
      await trainSteps(second, 6, 10);
      assert.equal(await fingerprint(second), uncut);
    } finally {
      await second.close();
    }
  });
});

describe('a local cluster in asynchronous mode', () => {
  test('trains with prefetch and pushes that lag, and applies every push', async () => {
    const cluster = await startCluster({
      model: 'deepfm',
      modelOptions: { hidden: [16] },
      mode: 'async',
      shardWork: 'threads',
      staleness: 2,
      embeddingPrefetchCapacity: 2,
    });
    try {
      for (let step = 0; step < 60; step++) {
        fillStep(await cluster.acquire(), 5, step % 3, 50);
        await cluster.submitTrain(step);
      }
      await cluster.sync();
      assert.ok(cluster.lossOf(59) < cluster.lossOf(0));
      assert.equal(cluster.completedRounds(), 60);
    } finally {
      await cluster.close();
    }
  });
});

describe('a local cluster whose workers do the work of shards in place', { skip: !shardWorkChoices().includes('in-place') }, () => {
  test('is what auto takes where workers that train in step and shards outnumber the cores', async () => {
    for (const [workers, mode, expected] of [
      [2, 'sync', 'in-place'],
      [2, 'async', 'threads'],
      [1, 'sync', 'threads'],
    ] as const) {
      const cluster = await startCluster({ model: 'lr', workers, ps: availableCores(), mode });
      await cluster.close();
      assert.equal(cluster.spec.shardWork, expected);
    }
  });

  test('refuses tables that threads cannot share, and auto keeps threads there', async () => {
    await assert.rejects(
      startCluster({ model: 'lr', shardWork: 'in-place', backend: 'reference' }),
      (error: unknown) => error instanceof MonolithError && error.code === 'InvalidConfig' && /--shard-work threads/.test(error.message),
    );
    const cluster = await startCluster({ model: 'lr', workers: 2, ps: availableCores(), backend: 'reference' });
    await cluster.close();
    assert.equal(cluster.spec.shardWork, 'threads');
  });

  for (const clip of [{}, { globalNorm: 0.05 }]) {
    test(`trains asynchronously and applies every push before a worker goes on ${JSON.stringify(clip)}`, async () => {
      const values: PartialTrainingConfig = { model: 'deepfm', modelOptions: { hidden: [16] }, mode: 'async', shardWork: 'in-place', clip };
      // One worker has nobody to race with: asynchronous training is synchronous training then.
      const alone = await trainedFingerprint({ ...values, workers: 1, ps: 3 });
      assert.equal(await trainedFingerprint({ ...values, workers: 1, ps: 3, mode: 'sync' }), alone);
      const cluster = await startCluster({ ...values, workers: 3, ps: Object.keys(clip).length > 0 ? 1 : 2 });
      try {
        for (let step = 0; step < 60; step++) {
          fillStep(await cluster.acquire(), 5, step % 3, 50);
          await cluster.submitTrain(step);
        }
        await cluster.sync();
        assert.ok(cluster.lossOf(59) < cluster.lossOf(0));
        assert.equal(cluster.completedRounds(), 60);
      } finally {
        await cluster.close();
      }
    });
  }

  test('evaluates read-only: unknown ids create no row', async () => {
    const cluster = await startCluster({ model: 'fm', shardWork: 'in-place' });
    try {
      await trainSteps(cluster, 0, 3);
      const { rows } = await cluster.sizes();
      fillStep(await cluster.acquire(), 6, 1000, 100_000);
      await cluster.submitEvaluate();
      await cluster.awaitRound(3);
      assert.ok(
        cluster
          .result(3, 1)
          .logits.subarray(0, 64)
          .some((logit) => logit !== 0),
      );
      assert.deepEqual((await cluster.sizes()).rows, rows);
    } finally {
      await cluster.close();
    }
  });

  test('a table that is full ends the run with TableFull that names the table', async () => {
    const cluster = await startCluster({ model: 'fm', shardWork: 'in-place', table: { maxRows: 20 } });
    try {
      await assert.rejects(trainSteps(cluster, 0, 20), (error: unknown) => {
        assert.ok(error instanceof MonolithError);
        assert.equal(error.code, 'TableFull', error.message);
        assert.match(error.message, /^table "/);
        return true;
      });
    } finally {
      await cluster.close();
    }
  });
});

describe('supervision', () => {
  test('a loss that is not finite ends the run and names step, worker and layer', async () => {
    const cluster = await startCluster({ model: 'dnn', modelOptions: { hidden: [8] } });
    try {
      const slots = await cluster.acquire();
      fillStep(slots, 5, 0, 50);
      slots[1].dense[3] = Number.NaN;
      await cluster.submitTrain(0);
      await assert.rejects(cluster.sync(), (error: unknown) => {
        assert.ok(error instanceof MonolithError);
        assert.equal(error.code, 'NonFiniteLoss');
        assert.match(error.message, /step 0, worker 1: loss is NaN; first non-finite value in/);
        return true;
      });
      assert.equal(cluster.badBatch?.numExamples, 64);
    } finally {
      await cluster.close();
    }
  });

  const cases = shardWorkChoices().flatMap((shardWork) => (['worker', 'ps'] as const).map((role) => ({ role, shardWork })));
  for (const { role, shardWork } of cases) {
    test(`a ${role} thread that is terminated in the middle ends the run within a second and is named (${shardWork})`, async () => {
      const cluster = await startCluster({ model: 'fm', shardWork });
      try {
        await trainSteps(cluster, 0, 3);
        const started = performance.now();
        await cluster.terminateThread(role, 1);
        await assert.rejects(trainSteps(cluster, 3, 50), (error: unknown) => {
          assert.ok(error instanceof MonolithError);
          assert.equal(error.code, 'WorkerDied');
          assert.match(error.message, role === 'ps' ? /PS shard 1/ : /worker 1/);
          return true;
        });
        assert.ok(performance.now() - started < 1000);
      } finally {
        await cluster.close();
      }
    });
  }

  for (const [role, name] of [
    ['worker', /worker 1/],
    ['ps', /PS shard 1/],
  ] as const) {
    for (const [moment, wait] of [
      ['all threads are parked and the data are slow', (cluster: LocalCluster) => cluster.whileSound(new Promise<never>(() => {}))],
      ['steps are under way', (cluster: LocalCluster) => cluster.sync()],
      ['rows are saved', (cluster: LocalCluster) => dumpForEver(cluster)],
    ] as const) {
      test(`a ${role} thread that ends while ${moment} ends the wait within a second and is named`, async () => {
        const cluster = await startCluster({ model: 'fm' });
        try {
          await trainSteps(cluster, 0, 3);
          if (moment === 'steps are under way') {
            for (let step = 3; step < 6; step++) {
              fillStep(await cluster.acquire(), 5, step, 300);
              await cluster.submitTrain(step);
            }
          }
          const started = performance.now();
          const ended = cluster.terminateThread(role, 1);
          await assert.rejects(
            // Steps under way may all be done before the thread has ended; whoever goes on then learns of it.
            wait(cluster).then(() => cluster.whileSound(new Promise<never>(() => {}))),
            (error: unknown) => error instanceof MonolithError && error.code === 'WorkerDied' && name.test(error.message),
          );
          assert.ok(performance.now() - started < 1000);
          await ended;
        } finally {
          await cluster.close();
        }
      });
    }
  }

  test('closing twice is fine and leaves no thread', async () => {
    const cluster = await startCluster({ model: 'lr' });
    await cluster.close();
    await cluster.close();
  });
});
