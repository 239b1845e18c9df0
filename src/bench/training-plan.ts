/** A training run of this package that the train and peers suites measure. */
export type TrainingPlan = {
  /** Unique; holds model, precision and batch. */
  readonly name: string;
  /** What it is compared within: one model and precision. */
  readonly group: TrainingGroup;
  /** The data it reads. */
  readonly data: 'bin' | 'tsv';
  readonly workers: number;
  readonly batchSize: number;
  /** Flags of `train` without data, folder and length. */
  readonly flags: readonly string[];
  /** Multiply-adds count as two: forward and backward of the dense part for one sample, in MFLOP; null where it bounds nothing. */
  readonly megaflopPerSample: number | null;
  readonly precision: 'fp32' | 'bf16';
};

/** Comparisons: each has one best setting of ours and one of each peer. */
export const trainingGroups = ['dlrm fp32', 'dlrm bf16', 'deepfm fp32', 'deepfm bf16', 'fm', 'lr', 'lr from text'] as const;
export type TrainingGroup = (typeof trainingGroups)[number];

/** How generators of Criteo-shaped records with a 64-byte header are read. */
export const criteoBinFlags = [
  '--format',
  'criteo-bin',
  '--data.header-bytes',
  '64',
  '--data.label-type',
  'float32',
  '--data.dense-type',
  'float32',
];

/**
 * The rules of examples/criteo-like-*.yaml. Adagrad from zero moves every dense parameter by its whole rate in the first step: DLRM, whose
 * towers feed one another, wants a smaller one than DeepFM to start without a leap of the loss, and at 8192 a worker, where a run of a
 * million samples has but 64 steps to mend such a leap, a smaller one still (chosen on held-out training samples, not on the test file).
 */
const denseRate = { dlrm: { 2048: '0.005', 8192: '0.003' }, deepfm: { 2048: '0.02', 8192: '0.02' } } as const;
const sharedRules = [
  ...['--optimizer.sparse.kind', 'adagrad', '--optimizer.sparse.learning-rate', '0.02'],
  ...['--optimizer.sparse.initial-accumulator', '0', '--optimizer.sparse.epsilon', '1e-10'],
  ...['--optimizer.dense.kind', 'adagrad'],
  ...['--optimizer.dense.initial-accumulator', '0', '--optimizer.dense.epsilon', '1e-10'],
];
const embedding = ['--embedding.dim', '16', '--embedding.initializer', '{kind: uniform, low: -0.0009765625, high: 0.0009765625}'];

/** Σ inputs × outputs of a chain of layers. */
function products(sizes: readonly number[]): number {
  return sizes.slice(1).reduce((sum, size, i) => sum + size * sizes[i], 0);
}

/**
 * Forward, gradient of inputs and gradient of weights are three products of 2 · inputs · outputs each; the first layer of a tower over raw
 * numbers needs no gradient of its inputs. DLRM: MLPs 13-512-256-16 and 367-512-256-1, 27 × 27 dot products of dimension 16.
 */
export const dlrmMegaflop = (6 * (products([13, 512, 256, 16]) + products([367, 512, 256, 1])) - 2 * 13 * 512 + 6 * 27 * 26 * 8) / 1e6;
/** DeepFM: MLP 429-400-400-1. */
export const deepfmMegaflop = (6 * products([429, 400, 400, 1])) / 1e6;

const batchSizes = [2048, 8192] as const;

function dense(
  model: 'dlrm' | 'deepfm',
  precision: 'fp32' | 'bf16',
  batchSize: (typeof batchSizes)[number],
  workers: number,
): TrainingPlan {
  const options = model === 'dlrm' ? '{bottom: [512, 256], top: [512, 256]}' : '{hidden: [400, 400]}';
  return {
    name: `ours ${model} ${precision} batch ${batchSize} W=${workers}`,
    group: `${model} ${precision}`,
    data: 'bin',
    workers,
    batchSize,
    flags: [
      ...criteoBinFlags,
      '--model',
      model,
      '--model-options',
      options,
      '--precision',
      precision,
      ...embedding,
      ...sharedRules,
      '--optimizer.dense.learning-rate',
      denseRate[model][batchSize],
    ],
    megaflopPerSample: model === 'dlrm' ? dlrmMegaflop : deepfmMegaflop,
    precision,
  };
}

/**
 * Rules of linear models and factorization machines. Peers that learn from one sample at a time divide by √(1 + Σ g²); with the mean gradient
 * of a batch of B samples the same bound on the first updates of a rare id is an initial accumulator of the order of 1/B².
 */
function shallowRules(group: 'fm' | 'lr' | 'lr from text', batchSize: number): string[] {
  const scale = (4096 / (2 * batchSize)) ** 2;
  const [rate, accumulator, denseRate] = group === 'fm' ? [0.05, 6e-7, 0.3] : [0.1, 2e-6, 1];
  return [
    ...['--optimizer.sparse.kind', 'adagrad', '--optimizer.sparse.learning-rate', String(rate)],
    ...['--optimizer.sparse.initial-accumulator', String(accumulator * scale)],
    ...['--optimizer.dense.kind', 'adagrad', '--optimizer.dense.learning-rate', String(denseRate)],
    // Both peers of these models make all of their memory ready before the time that counts.
    ...['--table.expected-rows', String(EXPECTED_ROWS)],
  ];
}

/** Distinct ids of a million samples of the uniform preset are 4.8 million. */
const EXPECTED_ROWS = 5_000_000;

function shallow(group: 'fm' | 'lr' | 'lr from text', batchSize: number, workers: number): TrainingPlan {
  const fromText = group === 'lr from text';
  return {
    name: `ours ${group} async batch ${batchSize} W=${workers}`,
    group,
    data: fromText ? 'tsv' : 'bin',
    workers,
    batchSize,
    flags: [
      ...(fromText ? ['--format', 'criteo'] : criteoBinFlags),
      // Steps are so short that waiting for each other would take a third of them; peers' threads do not wait either.
      ...['--model', group === 'fm' ? 'fm' : 'lr', '--mode', 'async'],
      ...(group === 'fm' ? ['--embedding.dim', '16'] : []),
      ...shallowRules(group, batchSize),
    ],
    megaflopPerSample: null,
    precision: 'fp32',
  };
}

/** Every run of ours, with so many workers: DLRM and DeepFM in fp32 and bf16, FM, LR, LR from text; batch 2048 and 8192 a worker. */
export function trainingPlans(workers: number): TrainingPlan[] {
  const plans: TrainingPlan[] = [];
  for (const batchSize of batchSizes) {
    for (const model of ['dlrm', 'deepfm'] as const) {
      for (const precision of ['fp32', 'bf16'] as const) plans.push(dense(model, precision, batchSize, workers));
    }
    for (const group of ['fm', 'lr', 'lr from text'] as const) plans.push(shallow(group, batchSize, workers));
  }
  return plans;
}

/** DLRM fp32 at batch 2048 a worker over workers and shards: 1 to `cores` of each. */
export function scalingPlans(cores: number): (TrainingPlan & { readonly ps: number })[] {
  const sizes = [1, 2, 4, 8, 16, 32].filter((size) => size <= cores);
  return sizes.flatMap((workers) =>
    sizes.map((ps) => ({ ...dense('dlrm', 'fp32', 2048, workers), name: `dlrm fp32 batch 2048 W=${workers} P=${ps}`, ps })),
  );
}

/** DLRM fp32 at batch 2048 on one worker and one shard: both in one process, and each in one of its own, with gRPC between. */
export function hostsPlans(): (TrainingPlan & { readonly ps: number })[] {
  const plan = dense('dlrm', 'fp32', 2048, 1);
  return [
    { ...plan, name: 'dlrm fp32 batch 2048 W=1 P=1 in one process', ps: 1 },
    { ...plan, name: 'dlrm fp32 batch 2048 W=1 P=1 in two processes over gRPC', ps: 1, flags: [...plan.flags, '--local-hosts', '2'] },
  ];
}
