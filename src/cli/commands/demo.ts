import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MonolithError, SeededRandom } from '../../base/index.js';
import { resolveConfig } from '../../config/index.js';
import { exactAuc } from '../../metrics/index.js';
import type { Output } from '../output.js';
import { train } from './train.js';

const FIELDS = 6;
const VALUES_PER_FIELD = 60;
const HIDDEN = 2;
const TEST_SHARE = 0.2;
/** Fewer say nothing about an AUC. */
const LEAST_ROWS = 1000;

/**
 * Makes click data with a known truth, trains DeepFM on them and compares with the best AUC that anyone could reach: that of the true
 * probabilities on the same test examples.
 */
export async function demo(rowsText: string, output: Output): Promise<number> {
  const rows = Number(rowsText);
  if (!(Number.isInteger(rows) && rows >= LEAST_ROWS))
    throw new MonolithError('InvalidConfig', `demo: --rows must be a whole number of at least ${LEAST_ROWS}, got "${rowsText}"`);
  const folder = await mkdtemp(join(tmpdir(), 'monolith-local-demo-'));
  try {
    const testRows = Math.round(rows * TEST_SHARE);
    const world = new World();
    await world.write(join(folder, 'train.csv'), rows - testRows);
    const best = await world.write(join(folder, 'test.csv'), testRows);
    const config = resolveConfig({
      values: {
        model: 'deepfm',
        modelOptions: { hidden: [64, 32] },
        modelDir: join(folder, 'run'),
        data: {
          train: [join(folder, 'train.csv')],
          eval: [join(folder, 'test.csv')],
          schema: {
            label: { column: 'click' },
            features: Array.from({ length: FIELDS }, (_, f) => ({ name: `field${f}`, type: 'categorical' as const })),
          },
        },
        epochs: 4,
        batchSize: 512,
        optimizer: { sparse: { kind: 'adagrad', learningRate: 0.05 }, dense: { kind: 'adam', learningRate: 0.002 } },
      },
    });
    output.talk(`${rows} made examples with a known truth; the best AUC anyone can reach on its test part is ${best.toFixed(4)}\n\n`);
    const exitCode = await train(config, output);
    output.result(`\nbest possible AUC ${best.toFixed(4)}; a model that guesses has 0.5000. The demo's files are removed again\n`);
    return exitCode;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The truth: a weight for each value and an interaction of hidden vectors between neighbouring fields. */
class World {
  private readonly random = new SeededRandom(7);
  private readonly weights = this.normals(FIELDS * VALUES_PER_FIELD, 0.6);
  private readonly vectors = this.normals(FIELDS * VALUES_PER_FIELD * HIDDEN, 0.75);

  /** Writes examples; returns the AUC of the true probabilities on them. */
  async write(path: string, rows: number): Promise<number> {
    const file = createWriteStream(path);
    file.write(`click,${Array.from({ length: FIELDS }, (_, f) => `field${f}`).join(',')}\n`);
    const logits = new Float32Array(rows);
    const labels = new Float32Array(rows);
    const ids = new Int32Array(FIELDS);
    for (let row = 0; row < rows; row++) {
      for (let f = 0; f < FIELDS; f++) ids[f] = Math.floor(VALUES_PER_FIELD * this.random.nextFloat() ** 2);
      logits[row] = this.logit(ids);
      labels[row] = this.random.nextFloat() < 1 / (1 + Math.exp(-logits[row])) ? 1 : 0;
      if (!file.write(`${labels[row]},${Array.from(ids, (id, f) => `v${f}_${id}`).join(',')}\n`)) await once(file, 'drain');
    }
    file.end();
    await once(file, 'finish');
    return exactAuc(logits, labels, null);
  }

  private logit(ids: Int32Array): number {
    let sum = -1;
    for (let f = 0; f < FIELDS; f++) {
      const own = f * VALUES_PER_FIELD + ids[f];
      sum += this.weights[own];
      const next = ((f + 1) % FIELDS) * VALUES_PER_FIELD + ids[(f + 1) % FIELDS];
      for (let h = 0; h < HIDDEN; h++) sum += this.vectors[own * HIDDEN + h] * this.vectors[next * HIDDEN + h] * 0.5;
    }
    return sum;
  }

  private normals(length: number, stddev: number): Float32Array {
    return Float32Array.from({ length }, () => stddev * this.random.nextNormal());
  }
}
