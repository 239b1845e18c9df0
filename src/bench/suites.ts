/** The suites of `monolith-local bench`, in the order of its help. */
export const suiteNames = [
  'limits',
  'kernels',
  'table',
  'ring',
  'grpc',
  'parsers',
  'step',
  'memory',
  'train',
  'scaling',
  'hosts',
  'startup',
  'peers',
] as const;
export type SuiteName = (typeof suiteNames)[number];

/** How a suite is measured. */
export type Suite = {
  readonly text: string;
  /** Parts: the folder under dist/bench whose *.bench.js files run one after another, each in a process of its own. Null: whole runs. */
  readonly folder: string | null;
  /** Kinds of limits that its results are held against; they are measured first. */
  readonly limits: readonly LimitKind[];
};

/** What the limits suite can measure; it is given the kinds as words. */
export const limitKinds = ['fma', 'bf16', 'copy', 'read', 'gather'] as const;
export type LimitKind = (typeof limitKinds)[number];

/** What one suite measures and how. */
export function suiteOf(name: SuiteName): Suite {
  switch (name) {
    case 'limits':
      return {
        text: 'what the machine can do: FMA and bf16 peak, copy, read and random-gather bandwidth; one thread and all cores',
        folder: 'limits',
        limits: [],
      };
    case 'kernels':
      return {
        text: 'matrix products on the MLP shapes, interactions, element-wise and loss kernels',
        folder: 'kernels',
        limits: ['fma', 'bf16'],
      };
    case 'table':
      return { text: 'embedding table: fill, lookup, apply, dedupe, pooling', folder: 'table', limits: ['gather'] };
    case 'ring':
      return { text: 'rings and barrier between threads, beside postMessage', folder: 'sharedarraybuffer-ring', limits: [] };
    case 'grpc':
      return { text: 'rows between a worker and a parameter-server process over gRPC', folder: 'grpc', limits: ['copy'] };
    case 'parsers':
      return { text: 'records a second of every parser, one core', folder: 'data', limits: [] };
    case 'step':
      return { text: 'one training step by kernels, and the JavaScript heap that it allocates', folder: 'step', limits: ['fma'] };
    case 'memory':
      return { text: 'bytes a row, pauses of growth, and lookups as the table grows', folder: 'memory', limits: ['gather'] };
    case 'train':
      return { text: 'whole training runs: DLRM, DeepFM, FM, LR; fp32 and bf16', folder: null, limits: ['fma', 'bf16'] };
    case 'scaling':
      return { text: 'DLRM over workers and shards', folder: null, limits: ['fma'] };
    case 'hosts':
      return { text: 'DLRM with worker and shard in two processes over gRPC, beside one process', folder: null, limits: ['fma'] };
    case 'startup':
      return { text: 'from the command line to the end of the first step', folder: null, limits: [] };
    case 'peers':
      return { text: 'ours and other trainers on the same file, in turns (needs --peers-dir)', folder: null, limits: ['fma', 'bf16'] };
    default:
      return name satisfies never;
  }
}
