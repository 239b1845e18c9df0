import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkerHost } from '../../src/cluster/index.js';
import { resolveConfig } from '../../src/config/index.js';
import { loadModel } from '../../src/models/index.js';
import { planOfRun, planRun } from '../../src/training/index.js';
import { flatLayout } from '../helpers/synthetic.js';

const MEBIBYTE = 1 << 20;

test('a worker takes no memory for the batches and rows of workers elsewhere', async () => {
  const workers = 32;
  const { config } = resolveConfig({ values: { model: 'fm', batchSize: 8192, workers, ps: 2 } });
  const inputs = { dense: [], sparse: Array.from({ length: 8 }, (_, i) => ({ name: `f${i}`, combiner: 0 as const })) };
  const definition = await loadModel(config.model);
  const plan = planOfRun(config, definition, inputs);
  const layout = flatLayout(
    config.batchSize,
    0,
    plan.tables.map((table) => table.features.length),
  );
  const before = process.memoryUsage.rss();
  const host = await WorkerHost.start(planRun(config, config.model, definition, inputs, plan, layout), 5);
  try {
    const { slots, exchange } = host.memory.buffers;
    const one = slots[5].byteLength + exchange[5].byteLength;
    const grown = process.memoryUsage.rss() - before;
    assert.ok(one > 10 * MEBIBYTE, `one worker's share is ${one} bytes: too small to tell`);
    assert.ok(grown < 4 * one + 100 * MEBIBYTE, `grown by ${grown} bytes where one worker's share is ${one}`);
    assert.ok(4 * one + 100 * MEBIBYTE < workers * one, 'the bound must tell one share from all');
    assert.deepEqual(
      host.lines.map(({ worker, shard, regions }) => [worker, shard, regions.length]),
      [
        [5, 0, 2],
        [5, 1, 2],
      ],
    );
  } finally {
    await host.close();
  }
});
