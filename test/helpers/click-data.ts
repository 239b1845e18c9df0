import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { SeededRandom } from '../../src/base/index.js';

const HEADER = 'click,price,user,item,tags';

/** The schema of {@link writeClicks}, as YAML. */
export const clickSchema =
  '{label: {column: click}, features: [{name: price, type: numeric, transform: log1p}, {name: user, type: categorical}, ' +
  "{name: item, type: categorical}, {name: tags, type: categorical, separator: '|', maxLength: 4}]}";

/** Lines of made-up clicks that can be learnt: users and items with their own rates. Depends on the seed alone. */
export function clickLines(rows: number, seed: number): string[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: rows }, () => {
    const user = Math.floor(60 * random.nextFloat() ** 2);
    const item = Math.floor(90 * random.nextFloat() ** 2);
    const tags = Array.from({ length: random.nextBelow(4) }, () => `t${random.nextBelow(12)}`).join('|');
    const logit = Math.sin(user * 1.7) + Math.cos(item * 2.3) + 0.5 * Math.sin(user * item) - 0.4;
    const click = random.nextFloat() < 1 / (1 + Math.exp(-2 * logit)) ? 1 : 0;
    return `${click},${(random.nextFloat() * 40).toFixed(2)},u${user},i${item},${tags}`;
  });
}

/** Writes a CSV file of clicks with a header; `.gz` at the end of the name compresses it. */
export function writeClicks(path: string, rows: number, seed: number): void {
  const text = `${[HEADER, ...clickLines(rows, seed)].join('\n')}\n`;
  writeFileSync(path, path.endsWith('.gz') ? gzipSync(text) : text);
}

/**
 * A run of a few seconds on clicks, as a config file: several epochs, windows smaller than the data, evaluation, many checkpoints. No threads parse:
 * each takes longer to start than these data to parse. Where they belong to what is shown: `--data.parse-threads null`, the default.
 */
export function clickConfig(folder: string, more = ''): string {
  return `
model: deepfm
modelOptions: {hidden: [16, 8], embeddingDim: 4, dropout: 0.1, batchNorm: true}
data:
  train: [${folder}/train.csv]
  eval: [${folder}/test.csv]
  schema: ${clickSchema}
  shuffle: 700
  parseThreads: 0
batchSize: 32
epochs: 3
checkpointEvery: 20
optimizer: {sparse: {kind: adagrad, learningRate: 0.05}, dense: {kind: adam, learningRate: 0.005}}
schedule: {kind: linear, warmupSteps: 10, decaySteps: 200, endFactor: 0.1}
clip: {globalNorm: 1}
${more}`;
}
