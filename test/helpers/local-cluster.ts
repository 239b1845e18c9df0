import { LocalCluster } from '../../src/cluster/index.js';
import { type PartialTrainingConfig, resolveConfig } from '../../src/config/index.js';
import { loadModel } from '../../src/models/index.js';
import { planOfRun, planRun } from '../../src/training/index.js';
import { fillStep, flatLayout } from './synthetic.js';

const inputs = {
  dense: ['d0', 'd1', 'd2'],
  sparse: ['a', 'b', 'c', 'd'].map((name) => ({ name, combiner: 0 as const })),
};

/** A small cluster for made-up batches (see {@link trainSteps}): two workers and two shards unless `values` says otherwise. */
export async function startSmallCluster(values: PartialTrainingConfig): Promise<LocalCluster> {
  const { config } = resolveConfig({ values: { batchSize: 32, workers: 2, ps: 2, stepTimeoutMs: 10_000, ...values } });
  const definition = await loadModel(config.model);
  const plan = planOfRun(config, definition, inputs);
  const layout = flatLayout(
    config.batchSize,
    inputs.dense.length,
    plan.tables.map((table) => table.features.length),
  );
  return LocalCluster.start(planRun(config, config.model, definition, inputs, plan, layout));
}

/** Trains steps `from` … `to` − 1 on made-up batches and waits for all of them. */
export async function trainSteps(cluster: LocalCluster, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    fillStep(await cluster.acquire(), 5, step, 300);
    await cluster.submitTrain(step);
  }
  await cluster.sync();
}
