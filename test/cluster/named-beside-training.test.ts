import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSmallCluster, trainSteps } from '../helpers/local-cluster.js';

test('the threads of a training run also hold named parameters, and a run is not changed by them', async () => {
  const losses: number[][] = [];
  for (const named of [false, true]) {
    const cluster = await startSmallCluster({ workers: 2, ps: 2 });
    try {
      const steps: Promise<unknown>[] = [];
      if (named) await cluster.registerParameter('w', [1, 2]);
      for (let step = 0; step < 6; step++) {
        if (named) steps.push(cluster.trainStep(step % 2, { w: [1, 0] }));
        await trainSteps(cluster, step, step + 1);
      }
      await Promise.all(steps);
      losses.push(Array.from({ length: 6 }, (_, step) => cluster.lossOf(step)));
      if (named) {
        assert.deepEqual(
          [...((await cluster.getParameter('w')) ?? [])].map((value) => value.toFixed(4)),
          ['0.9400', '2.0000'],
        );
        assert.deepEqual(cluster.diagnostics().workerSteps, [3, 3]);
        assert.equal(cluster.syncBarrier(0).state, 'waiting');
        await assert.rejects(cluster.workers[0].stop(), /belongs to a training run/);
        await cluster.stop();
        await assert.rejects(cluster.start(), /belongs to a training run/);
      }
    } finally {
      await cluster.close();
    }
  }
  assert.deepEqual(losses[0], losses[1]);
});
