// A RunConfig, an estimator of it, training in three slices with an evaluation after each, predictions for explicit inputs: and the same as one
// uninterrupted training, bit for bit.
//
//   node dist/examples/estimator-slices.js              made-up ratings of the shape of MovieLens 100K
//   node dist/examples/estimator-slices.js u.data.tsv   a file of ratings: tab-separated, header user_id, item_id, rating (RecBole's ml-100k.inter)
//
// Compiled by `npx tsc -p examples` (a test does so); it takes a few seconds.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Estimator, type PartialTrainingConfig, RunConfig } from 'monolith-local';

const MAX_STEPS = 120;
const folder = mkdtempSync(join(tmpdir(), 'estimator-slices-'));

/** 20,000 ratings of 300 users and 500 films that can be learnt; no random numbers, so they are the same everywhere. */
function madeRatings(path: string): string {
  const lines = ['user_id:token\titem_id:token\trating:float'];
  for (let i = 0; i < 20_000; i++) {
    const user = (i * 7919) % 300;
    const item = (i * 104_729 + Math.floor(i / 300)) % 500;
    const taste = Math.sin(user * 1.3) + Math.cos(item * 0.7) + Math.sin(user * 0.11 * item);
    lines.push(`${user + 1}\t${item + 1}\t${Math.max(1, Math.min(5, Math.round(3 + taste)))}`);
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const ratings = process.argv[2] ?? madeRatings(join(folder, 'ratings.tsv'));

/** What a RunConfig has not: the model and the data. */
const more: PartialTrainingConfig = {
  model: 'deepfm',
  modelOptions: { hidden: [32], embeddingDim: 8 },
  batchSize: 256,
  epochs: 0,
  data: {
    train: [ratings],
    format: 'tsv',
    split: { by: 'fraction', fraction: 0.1 },
    schema: {
      label: { column: 'rating', positive: { atLeast: 4 } },
      features: [
        { name: 'user', type: 'categorical', column: 'user_id' },
        { name: 'film', type: 'categorical', column: 'item_id' },
      ],
    },
  },
};

function estimator(name: string): Estimator {
  return Estimator.fromRunConfig(new RunConfig({ modelDir: join(folder, name), numPs: 2, numWorkers: 2 }), more);
}

/** One number for all bytes of a checkpoint's sections. */
function fingerprint(name: string, step: number): string {
  const sections = join(folder, name, `checkpoint-${step}`);
  const hash = createHash('sha256');
  for (const file of readdirSync(sections).sort()) hash.update(file).update(readFileSync(join(sections, file)));
  return hash.digest('hex');
}

try {
  const sliced = estimator('sliced');
  for (const steps of [50, 50, 50]) {
    const { step, reason } = await sliced.train({ steps, maxSteps: MAX_STEPS });
    const { metrics } = await sliced.evaluate();
    if ('auc' in metrics) console.log(`step ${step} (${reason}): AUC ${metrics.auc.toFixed(4)} on ${metrics.examples} examples`);
  }
  const whole = await estimator('whole').train({ maxSteps: MAX_STEPS });
  const inputs = [
    { user: 1, film: 1 },
    { user: 1, film: 2 },
    { user: 'nobody', film: 'unseen' },
  ];
  const { predictions } = await sliced.predictWithInputs(inputs);
  const uninterrupted = await estimator('whole').predictWithInputs(inputs);
  for (const [i, { user, film }] of inputs.entries()) console.log(`user ${user}, film ${film}: ${predictions[i][0].toFixed(4)}`);
  const sameBits = fingerprint('sliced', MAX_STEPS) === fingerprint('whole', whole.step);
  const samePredictions = predictions.every(([value], i) => Object.is(value, uninterrupted.predictions[i][0]));
  if (!sameBits || !samePredictions) throw new Error('three slices differ from one uninterrupted training');
  console.log(
    `three slices equal one uninterrupted training of ${whole.step} steps, bit for bit: parameters, rows, optimizer state, predictions`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
