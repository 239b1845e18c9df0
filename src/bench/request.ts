import { MonolithError, suggest } from '../base/index.js';
import { type SuiteName, suiteNames } from './suites.js';

/** What a command line of `bench` asks for. */
export type BenchRequest =
  | { readonly kind: 'list' }
  | { readonly kind: 'compare'; readonly old: string; readonly now: string; readonly failBelow: number | null; readonly json: boolean }
  | { readonly kind: 'run'; readonly suites: readonly SuiteName[]; readonly options: BenchOptions };

/** Settings of a run of suites. */
export type BenchOptions = {
  /** Results whose name holds this text; null: all. */
  readonly only: string | null;
  /** Rounds of whole runs (training, peers), which take turns: A B A B; saves of the checkpoint suite. */
  readonly rounds: number;
  /** Seconds spent on one part. */
  readonly seconds: number;
  /** Training samples of a whole run. */
  readonly samples: number;
  /** Rows of the table, memory and checkpoint suites; null: what each takes by itself. */
  readonly rows: number | null;
  readonly json: boolean;
  /** Where the result file goes; null: bench/results/latest.json in a checkout, nowhere in an installed package. */
  readonly output: string | null;
  /** Data of the training and scaling suites (criteo-bin as gen_criteo_like writes it); null: made up. */
  readonly data: string | null;
  readonly evalData: string | null;
  readonly preset: 'uniform' | 'kaggle';
  readonly peersDir: string | null;
  readonly python: string | null;
  readonly vw: string | null;
  readonly xlearn: string | null;
  /** Where made data are kept between runs. */
  readonly dataDir: string | null;
};

/** Flags of `bench` with what `--help` says of them. Values are texts; {@link parseBenchRequest} checks them. */
export const benchFlags = {
  only: { type: 'string', describe: 'Only results whose name holds this text', requiresArg: true },
  rounds: {
    type: 'string',
    describe: 'Rounds of whole runs, which take turns (A B A B); saves of the checkpoint suite',
    defaultDescription: '5',
    requiresArg: true,
  },
  seconds: { type: 'string', describe: 'Seconds spent on each part', defaultDescription: '1', requiresArg: true },
  samples: { type: 'string', describe: 'Training samples of a whole run', defaultDescription: '1048576', requiresArg: true },
  rows: {
    type: 'string',
    describe: 'Rows of the table, memory and checkpoint suites',
    defaultDescription: 'of the suite',
    requiresArg: true,
  },
  output: {
    type: 'string',
    describe: 'File for the results',
    defaultDescription: 'bench/results/latest.json in a checkout',
    requiresArg: true,
  },
  json: { type: 'boolean', default: false, describe: 'The result file on standard output instead of tables' },
  data: {
    type: 'string',
    describe: 'train, scaling: criteo-bin training file (64-byte header, float32)',
    defaultDescription: 'made up',
    requiresArg: true,
  },
  'eval-data': { type: 'string', describe: 'train, scaling: the file to evaluate on', defaultDescription: 'made up', requiresArg: true },
  'data-dir': {
    type: 'string',
    describe: 'Folder in which made data are kept',
    defaultDescription: "the system's temporary folder",
    requiresArg: true,
  },
  preset: { type: 'string', describe: 'peers: table sizes, uniform or kaggle', defaultDescription: 'uniform', requiresArg: true },
  'peers-dir': {
    type: 'string',
    describe: 'peers: folder of the peers (gen or gen_criteo_like.c, torch_ctr.py, tf_ctr.py)',
    defaultDescription: '$MONOLITH_BENCH_PEERS_DIR',
    requiresArg: true,
  },
  python: {
    type: 'string',
    describe: 'peers: Python with torch or tensorflow',
    defaultDescription: '$MONOLITH_BENCH_PYTHON or python3',
    requiresArg: true,
  },
  vw: { type: 'string', describe: 'peers: the vw program', defaultDescription: '$MONOLITH_BENCH_VW or vw', requiresArg: true },
  xlearn: {
    type: 'string',
    describe: 'peers: the xlearn_train program',
    defaultDescription: '$MONOLITH_BENCH_XLEARN or xlearn_train',
    requiresArg: true,
  },
  'fail-below': { type: 'string', describe: 'compare: exit code 1 where a figure fell below this ratio, beyond noise', requiresArg: true },
} as const;

/**
 * Reads the words and flags of `bench`: no word lists the suites, `compare OLD NEW` compares two result files, `all` runs every suite that
 * needs nothing from outside, names run those suites.
 *
 * @throws InvalidConfig
 */
export function parseBenchRequest(
  words: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): BenchRequest {
  const text = (flag: string): string | null => {
    const value = flags[flag];
    if (Array.isArray(value)) throw wrong(`--${flag}: given ${value.length} times`);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const number = (flag: string, otherwise: number, whole: boolean): number => {
    const given = text(flag);
    const value = given === null ? otherwise : Number(given);
    if (!(value > 0) || !Number.isFinite(value) || (whole && !Number.isInteger(value)))
      throw wrong(`--${flag}: expected a ${whole ? 'whole ' : ''}number above 0, got "${given}"`);
    return value;
  };
  const json = flags.json === true;
  if (words.length === 0) return { kind: 'list' };
  if (words[0] === 'compare') {
    if (words.length !== 3) throw wrong(`bench compare: expected two result files (compare OLD.json NEW.json), got ${words.length - 1}`);
    return {
      kind: 'compare',
      old: words[1],
      now: words[2],
      failBelow: text('fail-below') === null ? null : number('fail-below', 1, false),
      json,
    };
  }
  if (text('fail-below') !== null) throw wrong('--fail-below belongs to bench compare');
  const preset = text('preset') ?? 'uniform';
  if (preset !== 'uniform' && preset !== 'kaggle') throw wrong(`--preset: expected uniform or kaggle, got "${preset}"`);
  const suites = words.flatMap((word): readonly SuiteName[] => {
    if (word === 'all') return suiteNames.filter((name) => name !== 'peers');
    const name = suiteNames.find((suite) => suite === word);
    if (name !== undefined) return [name];
    const meant = suggest(word, suiteNames);
    throw wrong(
      `bench: no suite "${word}"${meant === null ? '' : `; did you mean ${meant}?`} Suites: ${suiteNames.join(', ')}, all; or compare OLD.json NEW.json`,
    );
  });
  if ((text('data') === null) !== (text('eval-data') === null)) throw wrong('--data and --eval-data go together');
  return {
    kind: 'run',
    suites: [...new Set(suites)],
    options: {
      only: text('only'),
      rounds: number('rounds', 5, true),
      seconds: number('seconds', 1, false),
      samples: number('samples', 1_048_576, true),
      rows: text('rows') === null ? null : number('rows', 1, true),
      json,
      output: text('output'),
      data: text('data'),
      evalData: text('eval-data'),
      preset,
      peersDir: text('peers-dir') ?? env.MONOLITH_BENCH_PEERS_DIR ?? null,
      python: text('python') ?? env.MONOLITH_BENCH_PYTHON ?? null,
      vw: text('vw') ?? env.MONOLITH_BENCH_VW ?? null,
      xlearn: text('xlearn') ?? env.MONOLITH_BENCH_XLEARN ?? null,
      dataDir: text('data-dir'),
    },
  };
}

function wrong(message: string): MonolithError {
  return new MonolithError('InvalidConfig', message);
}
