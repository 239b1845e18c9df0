import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SeededRandom } from '../base/index.js';

const DENSE = 13;
const FEATURES = 26;
const WORDS = 1 + DENSE + FEATURES;
const HEADER_BYTES = 64;
const BLOCK = 4096;
/** Values of a categorical column. */
const VOCABULARY = 1 << 20;

/**
 * Criteo-shaped click records with a planted truth (a weight a value and column), ids skewed like those of real logs: half of the draws fall
 * on a hundredth of the values. `bin`: a 64-byte header, then 40 words a record, float32 label and dense; `tsv`: Criteo's text.
 * Record i depends on (seed, i / 4096) alone, so that a part of the file is the file of fewer records.
 */
export async function makeClicks(path: string, format: 'bin' | 'tsv', records: number, seed: number): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(`${path}.part`, 'w');
  try {
    if (format === 'bin') await file.write(new Uint8Array(HEADER_BYTES));
    for (let first = 0; first < records; first += BLOCK) {
      const count = Math.min(BLOCK, records - first);
      const block = new ClickBlock(seed, first / BLOCK, count);
      await file.write(format === 'bin' ? block.binary() : Buffer.from(block.text()));
    }
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
}

/** Up to 4096 records: label, 13 counts, 26 ids. */
class ClickBlock {
  private readonly labels: Uint8Array;
  private readonly counts: Int32Array;
  private readonly ids: Int32Array;

  constructor(
    seed: number,
    block: number,
    private readonly records: number,
  ) {
    const random = new SeededRandom(seed * 1_000_003 + block);
    this.labels = new Uint8Array(records);
    this.counts = new Int32Array(records * DENSE);
    this.ids = new Int32Array(records * FEATURES);
    for (let i = 0; i < records; i++) {
      let logit = -1.2;
      for (let d = 0; d < DENSE; d++) {
        const count = Math.floor(Math.exp(4 * random.nextFloat() ** 3) - 1);
        this.counts[i * DENSE + d] = count;
        logit += 0.1 * Math.log1p(count) * ((d % 3) - 1);
      }
      for (let f = 0; f < FEATURES; f++) {
        const id = Math.floor(VOCABULARY * random.nextFloat() ** 6.6);
        this.ids[i * FEATURES + f] = id;
        logit += 0.6 * plantedWeight(id * FEATURES + f);
      }
      this.labels[i] = random.nextFloat() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    }
  }

  binary(): Uint8Array {
    const words = new Int32Array(this.records * WORDS);
    const floats = new Float32Array(words.buffer);
    for (let i = 0; i < this.records; i++) {
      floats[i * WORDS] = this.labels[i];
      for (let d = 0; d < DENSE; d++) floats[i * WORDS + 1 + d] = Math.log1p(this.counts[i * DENSE + d]);
      words.set(this.ids.subarray(i * FEATURES, (i + 1) * FEATURES), i * WORDS + 1 + DENSE);
    }
    return new Uint8Array(words.buffer);
  }

  text(): string {
    const lines: string[] = [];
    for (let i = 0; i < this.records; i++) {
      const counts = Array.from(this.counts.subarray(i * DENSE, (i + 1) * DENSE), String);
      const ids = Array.from(this.ids.subarray(i * FEATURES, (i + 1) * FEATURES), (id, f) =>
        (Math.imul(id * FEATURES + f, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0'),
      );
      lines.push([this.labels[i], ...counts, ...ids].join('\t'));
    }
    return `${lines.join('\n')}\n`;
  }
}

/** A fixed number in −1 … 1 for each value of each column. */
function plantedWeight(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) | 0) / 2 ** 31;
}
