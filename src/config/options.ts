import { z } from 'zod';
import type { FeatureSchema } from '../features/index.js';
import { discoveryOptions } from './discovery-options.js';
import { distributedOptions } from './distributed-options.js';
import { featureSchemaValidator } from './feature-schema.js';
import {
  boolean,
  choice,
  integer,
  list,
  NullableSection,
  nullableInteger,
  nullableText,
  number,
  object,
  optionalNumber,
  switchOrFolder,
  text,
} from './option.js';
import { restoreOptions } from './restore-options.js';
import { warmStartOptions } from './warm-start-options.js';

/** Largest seed: seeds are unsigned 32-bit numbers. */
const MAX_SEED = 2 ** 32 - 1;
/** A year: longer intervals are slips of the pen. */
const MAX_SECONDS = 366 * 86_400;
/** Longest timer that Node keeps; a longer one fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Update rules and the numbers that each takes beside learningRate and weightDecay. */
export const optimizerNumbers = {
  sgd: [],
  adagrad: ['initialAccumulator', 'epsilon'],
  'rowwise-adagrad': ['initialAccumulator', 'epsilon'],
  adam: ['beta1', 'beta2', 'epsilon'],
  ftrl: ['initialAccumulator', 'beta', 'l1', 'l2'],
} as const satisfies Record<string, readonly string[]>;

const optimizerNames = ['sgd', 'adagrad', 'rowwise-adagrad', 'adam', 'ftrl'] as const;

const ruleNumbers = {
  weightDecay: optionalNumber('L2 coefficient per step.', { min: 0 }),
  initialAccumulator: optionalNumber('Start of the sum of squared gradients (adagrad, rowwise-adagrad, ftrl).', { min: 0 }),
  epsilon: optionalNumber('Added to the root in the denominator (adagrad, rowwise-adagrad, adam).', { min: 0 }),
  beta1: optionalNumber('Decay of the mean of gradients (adam).', { min: 0, max: 1 }),
  beta2: optionalNumber('Decay of the mean of squared gradients (adam).', { min: 0, max: 1 }),
  beta: optionalNumber('Added to the root in the per-coordinate rate (ftrl).', { min: 0 }),
  l1: optionalNumber('L1 strength (ftrl).', { min: 0 }),
  l2: optionalNumber('L2 strength (ftrl).', { min: 0 }),
};

const rowInitializer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('zeros') }),
  z.strictObject({ kind: z.literal('constant'), value: z.number() }),
  z.strictObject({ kind: z.literal('uniform'), low: z.number(), high: z.number() }),
  z.strictObject({ kind: z.literal('normal'), mean: z.number(), stddev: z.number().min(0) }),
]);

/**
 * Every option of the package, in the shape of the configuration file. Types, checks, defaults, flags, environment variables, `--help` and
 * docs/configuration.md are all derived from this tree.
 */
export const optionTree = {
  model: text('deepfm', 'Model: a name from the zoo, or a JavaScript file that exports `model`.', { path: 'module', group: 'Model' }),
  modelOptions: object<Readonly<Record<string, unknown>>>(
    {},
    z.record(z.string(), z.unknown()),
    'Options of the model itself, such as {hidden: [400, 400], dropout: 0.1}; `describe` lists those of a model.',
    { group: 'Model' },
  ),
  modelDir: text('./model', 'Run folder: checkpoints, logs, the configuration in force. A run that stopped goes on from here.', {
    path: 'folder',
    group: 'Run',
  }),
  data: {
    train: list('Training data: files, globs, folders, or - for standard input.', { flag: 'data', path: 'data' }),
    eval: list('Evaluation data, in the format of the training data.', { flag: 'eval-data', path: 'data' }),
    format: choice(
      'auto',
      [
        'auto',
        'csv',
        'tsv',
        'criteo',
        'criteo-bin',
        'libsvm',
        'libffm',
        'tfrecord',
        'parquet',
        'arrow',
        'jsonl',
        'vw',
        'npz',
        'instance',
        'example',
        'example-batch',
        'example-batch-row-major',
      ],
      "Format of the data. auto looks at the names and the first bytes of the files; Monolith's own (instance, example, example-batch, example-batch-row-major) must be named.",
      { flag: 'format' },
    ),
    schema: object<FeatureSchema | null>(
      null,
      (featureSchemaValidator satisfies z.ZodType<FeatureSchema>).nullable(),
      'Feature schema: which column becomes which feature. A mapping, or the name of a YAML or JSON file that holds one. null: the schema that the format implies.',
      { flag: 'schema', path: 'schema' },
    ),
    shuffle: integer(65536, 'Examples in the window that training examples are drawn from at random; 0 keeps the order of the files.', {
      min: 0,
      max: 2 ** 26,
      flag: 'shuffle',
    }),
    split: {
      by: choice('none', ['none', 'fraction', 'column', 'rows'], 'How evaluation examples are taken out of the training data.'),
      fraction: number(0, 'by fraction: the share of examples kept for evaluation, chosen by seed and place in the data.', {
        min: 0,
        max: 1,
      }),
      column: nullableText('the name of a column', z.string().min(1), 'by column: the column that says where an example belongs.'),
      evalValues: list('by column: examples with one of these values are for evaluation.'),
      rows: nullableText(
        'a range of rows such as 9001-10000',
        z.string().regex(/^\d+-\d+$/),
        'by rows: these records of each file, counted from 1, both ends included, are for evaluation.',
      ),
    },
    maxBadRecords: integer(0, 'Records of an epoch that cannot be read are skipped and counted up to this number; one more ends the run.', {
      min: 0,
      flag: 'max-bad-records',
    }),
    maxIdsPerExample: integer(1024, 'Most ids of one example in one table; a longer record counts as bad.', { min: 1, max: 2 ** 20 }),
    parseThreads: nullableInteger('Threads that parse; 0 parses on the main thread, null chooses by the number of cores.', {
      min: 0,
      max: 256,
    }),
    cache: switchOrFolder(
      'off',
      'Keeps what parsing made of the data, so that later epochs and runs need not parse: off, auto (a hidden folder beside each file) or a folder. Changes no result.',
    ),
    headerBytes: integer(0, 'criteo-bin: bytes before the first record.', { min: 0 }),
    labelType: choice('int32', ['int32', 'float32'], 'criteo-bin: type of the label word.'),
    denseType: choice('int32', ['int32', 'float32'], 'criteo-bin: type of the dense words.'),
    separator: nullableText(
      'one character (tab or \\t for a tab)',
      z
        .string()
        .transform((value) => (value === 'tab' || value === '\\t' ? '\t' : value))
        .pipe(z.string().regex(/^[^"\r\n]$/)),
      'csv and tsv: the character between columns; null takes that of the format.',
    ),
    header: choice('auto', ['auto', true, false], 'csv and tsv: whether the first line of a file names the columns.'),
    trim: boolean(true, 'csv and tsv: take spaces away at both ends of a field.'),
    numFields: nullableInteger('libffm: number of fields; null finds it in the data.', { min: 1, max: 32768 }),
    hasSortId: boolean(true, "Monolith's formats: a sort id with its length stands before each message."),
    kafkaDump: boolean(false, "Monolith's formats: one more number of 64 bits stands before the size of each message."),
    kafkaDumpPrefix: boolean(false, "Monolith's formats: records begin with 0 and a number, or with the length of the sort id."),
    lagrangexHeader: boolean(false, "Monolith's formats: a header of 8 bytes stands before each message, in place of the three above."),
    bareMessage: boolean(false, "Monolith's formats: nothing stands before a message, each file is one."),
    criteoIntegers: choice(
      'dense',
      ['dense', 'bucketized', 'both'],
      'criteo: integer columns as numbers (log1p), as categories (whole part of ln(x)² above 2), or both.',
    ),
  },
  workers: integer(2, 'Worker threads; each trains on its own part of a step.', {
    min: 1,
    max: 256,
    minTogether: true,
    group: 'Cluster',
    aliases: ['num-workers-cluster'],
  }),
  ps: integer(2, 'Parameter-server shards. Changes the speed, never the result.', {
    min: 1,
    max: 256,
    minTogether: true,
    group: 'Cluster',
    aliases: ['num-ps'],
  }),
  shardWork: choice(
    'auto',
    ['auto', 'threads', 'in-place'],
    'Who does the work of shards: threads of their own, or workers, in place and in turns (one message less, nothing ahead, staleness 0). auto: in place in sync mode where workers and shards outnumber the cores. Changes no result of sync mode.',
    { group: 'Cluster' },
  ),
  mode: choice('sync', ['sync', 'async'], 'sync: one result for one seed. async: workers do not wait for each other.', {
    group: 'Cluster',
  }),
  staleness: integer(1, 'async: steps that a worker may be ahead of its own unapplied gradients.', { min: 0, max: 1024, group: 'Cluster' }),
  embeddingPrefetchCapacity: integer(
    1,
    'Batches ahead for which rows are looked up, while this one is computed. Results of sync mode do not depend on it.',
    { min: 0, max: 16, group: 'Cluster' },
  ),
  enableEmbeddingPostpush: boolean(true, 'async: push gradients while the next batch computes.', { group: 'Cluster' }),
  stepTimeoutMs: integer(120_000, 'Milliseconds without progress after which a run ends with an error that names who is late.', {
    min: 100,
    max: MAX_TIMEOUT_MS,
    group: 'Cluster',
  }),
  epochs: integer(1, 'Times to go through the training data; 0 has no end.', { min: 0, group: 'Run' }),
  maxSteps: integer(0, 'Stop after this many steps, those before a resume included; 0 sets no limit.', { min: 0, group: 'Run' }),
  batchSize: integer(512, 'Examples of one worker in one step.', { min: 1, max: 2 ** 20, group: 'Run' }),
  seed: integer(42, 'Seed of everything random.', { min: 0, max: MAX_SEED, group: 'Run' }),
  precision: choice(
    'fp32',
    ['fp32', 'bf16'],
    'Number format that matrix products read: fp32, or bf16 (rounded to bfloat16, summed in fp32; everything stored stays fp32). About twice as fast on processors with AVX512-BF16, slower on others.',
    { group: 'Run' },
  ),
  backend: choice('auto', ['auto', 'native', 'reference'], 'Kernels: native addon, plain TypeScript, or the first where it loads.', {
    group: 'Run',
    unavailable: { gpu: 'the gpu backend is not available yet; use native' },
  }),
  fresh: boolean(false, 'Start anew and leave the checkpoints of the run folder aside; without it a run resumes.', { group: 'Run' }),
  ...restoreOptions,
  warmStart: warmStartOptions,
  checkpointEvery: integer(1000, 'Steps between checkpoints; 0 writes one at the end only.', { min: 0, group: 'Run' }),
  checkpointMode: choice(
    'background',
    ['background', 'blocking'],
    'background: a thread of its own writes checkpoints while training goes on, which stops for some milliseconds only. blocking: training stops until they are written; so it is in any case on several hosts and on the reference backend. The bytes are the same.',
    { group: 'Run' },
  ),
  deltaEvery: integer(
    0,
    'Steps between delta checkpoints, which hold what has changed since the last whole one (checkpointEvery); 0 writes none. Not on several hosts, nor on the reference backend.',
    { min: 0, group: 'Run' },
  ),
  checkpointEverySeconds: number(0, 'Seconds between checkpoints, beside those by steps; 0: none.', {
    min: 0,
    max: MAX_SECONDS,
    group: 'Run',
  }),
  keepCheckpoints: integer(3, 'Checkpoints kept, the best by evaluation beside them, and what kept deltas stand on.', {
    min: 1,
    max: 10_000,
    group: 'Run',
  }),
  keepBest: choice(
    'none',
    ['none', 'auc', 'logloss', 'normalizedEntropy', 'accuracy', 'mse', 'rmse', 'mae'],
    'Figure of the evaluation whose best state is saved and kept beside the newest checkpoints; none: that of earlyStop, where a checkpoint happens to fall on it.',
    { group: 'Run' },
  ),
  evalEvery: integer(0, 'Steps between evaluations; 0 evaluates at the end of each epoch.', { min: 0, group: 'Run' }),
  evalSteps: integer(0, 'Steps of one evaluation, a batch of every worker each; 0 takes all evaluation data.', { min: 0, group: 'Run' }),
  evalEverySeconds: number(0, 'Seconds between evaluations, in place of those at the end of each epoch; 0: none.', {
    min: 0,
    max: MAX_SECONDS,
    group: 'Run',
  }),
  stopFile: nullableText(
    'the path of a file',
    z.string().min(1),
    'Training ends, and saves, once this file is there; it is then deleted. null: none.',
    { path: 'folder', group: 'Run' },
  ),
  hooks: list('JavaScript modules that export `hooks`, called around training; see docs/hooks.md.', { path: 'folder', group: 'Run' }),
  profileSteps: nullableText(
    'a range of steps such as 100..120',
    z.string().regex(/^\d+\.\.\d+$/),
    'Steps, counted from 1, of which a time line (Chrome trace) and CPU profiles are written to the folder `profile` of the run folder. null: none.',
    { group: 'Output' },
  ),
  earlyStop: {
    metric: choice('auc', ['auc', 'logloss', 'normalizedEntropy', 'accuracy', 'mse', 'rmse', 'mae'], 'Figure that is watched.'),
    patience: integer(0, 'Evaluations without improvement after which training stops; 0 never stops early.', { min: 0 }),
    minDelta: number(0, 'Smallest change that counts as an improvement.', { min: 0 }),
  },
  optimizer: {
    sparse: {
      kind: choice('adagrad', optimizerNames, 'Update rule of embedding rows.'),
      learningRate: number(0.05, 'Step size of embedding rows.', { above: 0 }),
      ...ruleNumbers,
    },
    linear: new NullableSection({
      kind: choice('adagrad', optimizerNames, 'Update rule of linear (one-dimensional) weights; the section is null: as embedding rows.'),
      learningRate: optionalNumber('Step size of linear weights.', { above: 0 }),
      ...ruleNumbers,
    }),
    dense: {
      kind: choice('adagrad', optimizerNames, 'Update rule of dense parameters.'),
      learningRate: number(0.01, 'Step size of dense parameters.', { above: 0 }),
      ...ruleNumbers,
    },
  },
  schedule: {
    kind: choice('constant', ['constant', 'linear', 'cosine', 'exponential', 'polynomial'], 'Course of the learning rates after warm-up.'),
    warmupSteps: integer(0, 'Steps over which the learning rates rise from 0 to their value.', { min: 0 }),
    decaySteps: integer(0, 'Steps from the end of warm-up to the end of the decay; needed unless the kind is constant.', { min: 0 }),
    endFactor: number(0, 'linear, cosine, polynomial: learning rate at the end as a share of the first.', { min: 0, max: 1 }),
    power: number(1, 'polynomial: exponent.', { above: 0 }),
    decayRate: number(0.96, 'exponential: factor over decaySteps.', { above: 0, max: 1 }),
  },
  clip: {
    globalNorm: number(0, 'Largest L2 norm of the dense gradients of a step, which are scaled down to it; 0 is off.', { min: 0 }),
    value: number(0, 'Largest absolute value of one dense gradient; 0 is off.', { min: 0 }),
    rowNorm: number(0, 'Largest L2 norm of the gradient of one embedding row; 0 is off.', { min: 0 }),
  },
  embedding: {
    dim: nullableInteger('Floats of one embedding; null leaves it to the model (16; ffm: 4 a field).', {
      min: 1,
      max: 4096,
      minTogether: true,
      aliases: ['dim'],
    }),
    initializer: object<z.output<typeof rowInitializer> | null>(
      null,
      rowInitializer.nullable(),
      'How new rows start: {kind: zeros}, {kind: constant, value}, {kind: uniform, low, high} or {kind: normal, mean, stddev}; null leaves it to the model.',
    ),
    storage: choice(
      'fp32',
      ['fp32', 'bf16', 'fp16'],
      'How values of rows are stored: float32, or 16 bits (bfloat16, half) rounded stochastically at every update. Optimizer state stays float32.',
    ),
  },
  table: {
    expectedRows: integer(0, 'Rows that one table will about have: memory is made ready for them before training. 0: as they come.', {
      min: 0,
    }),
    maxRows: integer(0, 'Most rows of one table; a further id ends the run with TableFull. 0 sets no limit.', { min: 0 }),
  },
  distributed: distributedOptions,
  discovery: discoveryOptions,
  logEvery: number(0, 'Seconds between progress reports; 0 chooses: a few a second on a terminal, else one every 5 s.', {
    min: 0,
    max: 86_400,
    group: 'Output',
  }),
  json: boolean(false, 'Print one JSON object a line on standard output, and nothing else there.', { group: 'Output' }),
  quiet: boolean(false, 'No banner and no progress.', { group: 'Output' }),
};

/** Headings of the sections of the file. */
export const sectionTitles: Readonly<Record<string, string>> = {
  data: 'Data',
  warmStart: 'Warm start',
  earlyStop: 'Early stopping',
  optimizer: 'Optimizers',
  schedule: 'Learning-rate schedule',
  clip: 'Gradient clipping',
  embedding: 'Embeddings and tables',
  table: 'Embeddings and tables',
  distributed: 'Several hosts',
  discovery: 'Discovery',
};
