import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError } from '../../base/index.js';
import { runChild } from '../child.js';

/** Layouts that the peers' generator writes; every file of one preset holds the same samples. */
export const peerFormats = ['bin', 'tsv', 'vw', 'ffm'] as const;
export type PeerFormat = (typeof peerFormats)[number];

/** Files of one data set. */
export type PeerData = {
  readonly samples: number;
  readonly testSamples: number;
  train(format: PeerFormat): string;
  test(format: PeerFormat): string;
};

const TEST_SAMPLES = 131_072;
const ROWS = 1_048_576;
const ZIPF = 1.05;

/**
 * Makes the files that are not there yet: `samples` to train on, and the ones behind them to test on.
 * @throws DataNotFound where the generator fails
 */
export async function makePeerData(
  generator: string,
  folder: string,
  preset: 'uniform' | 'kaggle',
  samples: number,
  formats: ReadonlySet<PeerFormat>,
  talk: (text: string) => void,
): Promise<PeerData> {
  const testSamples = Math.min(TEST_SAMPLES, Math.max(1024, Math.floor(samples / 8)));
  const path = (part: string, format: PeerFormat): string => join(folder, `${preset}-${samples}-${part}.${format}`);
  await mkdir(folder, { recursive: true });
  for (const format of formats) {
    for (const [part, start, count] of [
      ['train', 0, samples],
      ['test', samples, testSamples],
    ] as const) {
      const file = path(part, format);
      if (existsSync(file)) continue;
      talk(`   making ${file}\n`);
      const args = ['--format', format, '--preset', preset, '--rows', String(ROWS), '--zipf', String(ZIPF)];
      const { code, stderr } = await runChild(generator, [...args, '--start', String(start), '--n', String(count), '-o', `${file}.part`]);
      if (code !== 0) {
        await rm(`${file}.part`, { force: true });
        throw new MonolithError('DataNotFound', `${generator} failed for ${file}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
      }
      await rename(`${file}.part`, file);
    }
  }
  return { samples, testSamples, train: (format) => path('train', format), test: (format) => path('test', format) };
}
