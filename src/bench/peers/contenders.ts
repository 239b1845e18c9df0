import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { exactAuc } from '../../metrics/index.js';
import { runChild } from '../child.js';
import type { TrainingGroup } from '../training-plan.js';
import type { RunOutcome } from '../training-run.js';
import type { Contender } from '../training-suites.js';
import type { PeerData, PeerFormat } from './data.js';
import { type Found, peerEnvironment } from './programs.js';

/** A peer in one setting. Its runs need files of one format. */
export type PeerContender = Contender & {
  readonly group: TrainingGroup;
  readonly format: PeerFormat;
  /** Why it takes no part. */
  readonly absent: string | null;
};

/** Where peers' runs find things. `data` is called when a run starts: by then the files are there. */
export type PeerPlace = { readonly folder: string | null; readonly scratch: string; readonly cores: number; data(): PeerData };

const nothing = { samplesPerSecond: null, auc: null, logloss: null, info: {} };

function failed(seconds: number, code: number | null, stderr: string): RunOutcome {
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  return { ...nothing, seconds, problem: reason === '' ? `exit code ${code}` : reason };
}

/** The last line of a peers' script: {"samples_s": …, "auc": …, "logloss": …}. */
export function figuresOfScript(stdout: string): { samplesPerSecond: number; auc: number | null; logloss: number | null } | null {
  // Python writes NaN where a run diverged: its speed counts all the same.
  const line = (stdout.trim().split('\n').at(-1) ?? '').replaceAll(/\bNaN\b/g, 'null');
  try {
    const { samples_s: rate, auc, logloss } = JSON.parse(line) as { samples_s?: number; auc?: number; logloss?: number };
    return typeof rate === 'number' ? { samplesPerSecond: rate, auc: auc ?? null, logloss: logloss ?? null } : null;
  } catch {
    return null;
  }
}

function script(place: PeerPlace, found: Found, name: string, group: TrainingGroup, file: string, args: readonly string[]): PeerContender {
  return {
    name,
    group,
    format: 'bin',
    absent: found.absent,
    run: async () => {
      const data = place.data();
      const files = ['--data', data.train('bin'), '--test', data.test('bin'), '--samples', String(data.samples), '--auc'];
      const program = join(place.folder ?? '', file);
      const { code, stdout, stderr, seconds } = await runChild(found.path ?? '', [program, ...files, ...args], { env: peerEnvironment() });
      const figures = code === 0 ? figuresOfScript(stdout) : null;
      return figures === null ? failed(seconds, code, stderr) : { ...figures, seconds, info: {}, problem: null };
    },
  };
}

/** PyTorch: all cores in one process, and one Hogwild process a core; batch 2048 and 8192. */
export function torchContenders(place: PeerPlace, found: Found): PeerContender[] {
  const version = found.absent === null ? ` ${found.version}` : '';
  return (['dlrm', 'deepfm'] as const).flatMap((model) =>
    (['fp32', 'bf16'] as const).flatMap((precision) =>
      [2048, 8192].flatMap((batch) =>
        (['threads', 'hogwild'] as const).map((way) => {
          const parallel = way === 'threads' ? ['--threads', String(place.cores)] : ['--threads', '1', '--procs', String(place.cores)];
          const args = ['--model', model, '--batch', String(batch), ...parallel, ...(precision === 'bf16' ? ['--bf16'] : [])];
          const name = `PyTorch${version} ${model} ${precision} batch ${batch} ${way} ${place.cores}`;
          return script(place, found, name, `${model} ${precision}`, 'torch_ctr.py', args);
        }),
      ),
    ),
  );
}

/** TensorFlow: DLRM, all cores. */
export function tensorflowContenders(place: PeerPlace, found: Found): PeerContender[] {
  const version = found.absent === null ? ` ${found.version}` : '';
  return (['fp32', 'bf16'] as const).flatMap((precision) =>
    [2048, 8192].map((batch) => {
      const args = [
        '--batch',
        String(batch),
        '--threads',
        String(place.cores),
        '--lr',
        '0.02',
        '--dense-lr',
        '0.02',
        ...(precision === 'bf16' ? ['--bf16'] : []),
      ];
      return script(place, found, `TensorFlow${version} dlrm ${precision} batch ${batch}`, `dlrm ${precision}`, 'tf_ctr.py', args);
    }),
  );
}

/** Test AUC of predictions, one a line, for the labels that begin the lines of a vw file. */
export function aucOfPredictions(predictions: string, examples: string): number {
  const scores = Float32Array.from(predictions.trim().split('\n'), (line) => Number.parseFloat(line));
  const labels = Float32Array.from(examples.trim().split('\n'), (line) => (line.startsWith('1') ? 1 : 0));
  return exactAuc(scores, labels, null);
}

/**
 * Vowpal Wabbit: linear, from text, time of the program less that of one without examples, since ours leaves its start out as well. Its AUC
 * comes from a second, untimed run in the first round.
 */
export function vwContenders(place: PeerPlace, found: Found): PeerContender[] {
  const version = found.absent === null ? ` ${found.version}` : '';
  const train = ['--loss_function', 'logistic', '-b', '26', '--quiet'];
  return [
    {
      name: `Vowpal Wabbit${version} lr from text`,
      group: 'lr from text',
      format: 'vw',
      absent: found.absent,
      run: async (round) => {
        const data = place.data();
        const program = found.path ?? '';
        const empty = await runChild(program, [...train, '-d', devNull]);
        const { code, stderr, seconds } = await runChild(program, [...train, '-d', data.train('vw')]);
        if (code !== 0) return failed(seconds, code, stderr);
        const auc = round === 0 ? await vwAuc(program, train, data, place.scratch) : null;
        return { samplesPerSecond: data.samples / (seconds - empty.seconds), auc, logloss: null, seconds, info: {}, problem: null };
      },
    },
  ];
}

async function vwAuc(program: string, train: readonly string[], data: PeerData, scratch: string): Promise<number | null> {
  const [model, predictions] = [join(scratch, 'vw.model'), join(scratch, 'vw.predictions')];
  await runChild(program, [...train, '-d', data.train('vw'), '-f', model]);
  const { code } = await runChild(program, ['-t', '-i', model, '-d', data.test('vw'), '-p', predictions, '--quiet']);
  if (code !== 0) return null;
  const auc = aucOfPredictions(readFileSync(predictions, 'utf8'), readFileSync(data.test('vw'), 'utf8'));
  await Promise.all([rm(model), rm(predictions)]);
  return auc;
}

/** Epoch time and test AUC from xLearn's table; the AUC column is there when it evaluated. */
export function figuresOfXlearn(stdout: string): { epochSeconds: number; auc: number | null } | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: xLearn colours its output whatever it writes to.
  const plain = stdout.replaceAll(/\x1b\[[0-9;]*m/g, '');
  const row = /^\[\s*100%\s*\]\s+1\s+(.+)$/m.exec(plain);
  if (row === null) return null;
  const figures = row[1].trim().split(/\s+/).map(Number);
  const epochSeconds = figures.at(-1) ?? Number.NaN;
  if (!(epochSeconds > 0)) return null;
  return { epochSeconds, auc: figures.length >= 4 ? figures[2] : null };
}

/** xLearn: linear and FM with k = 16, data in memory, the epoch time that it prints. Its AUC comes from an untimed run in the first round. */
export function xlearnContenders(place: PeerPlace, found: Found): PeerContender[] {
  const version = found.absent === null ? ` ${found.version}` : '';
  return (['lr', 'fm'] as const).map((group) => ({
    name: `xLearn${version} ${group}`,
    group,
    format: 'ffm' as const,
    absent: found.absent,
    run: async (round: number): Promise<RunOutcome> => {
      const data = place.data();
      const model = join(place.scratch, 'xlearn.model');
      const rules = [
        '-s',
        group === 'lr' ? '0' : '1',
        '-k',
        '16',
        '-p',
        'adagrad',
        '-r',
        '0.05',
        '-e',
        '1',
        '-nthread',
        String(place.cores),
        '-m',
        model,
      ];
      const once = (more: readonly string[]): ReturnType<typeof runChild> =>
        runChild(found.path ?? '', [data.train('ffm'), ...more, ...rules], { env: peerEnvironment(), cwd: place.scratch });
      const { code, stdout, stderr, seconds } = await once([]);
      const figures = code === 0 ? figuresOfXlearn(stdout) : null;
      if (figures === null) return failed(seconds, code, stderr);
      const auc = round === 0 ? (figuresOfXlearn((await once(['-v', data.test('ffm'), '-x', 'auc'])).stdout)?.auc ?? null) : null;
      return { samplesPerSecond: data.samples / figures.epochSeconds, auc, logloss: null, seconds, info: {}, problem: null };
    },
  }));
}
