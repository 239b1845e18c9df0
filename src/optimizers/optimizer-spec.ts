import { MonolithError } from '../base/index.js';
import { OptimizerKind } from '../kernels/index.js';

/** Names of update rules as users write them. */
export type OptimizerName = 'sgd' | 'adagrad' | 'rowwise-adagrad' | 'adam' | 'ftrl';

/** An update rule with its numbers; a missing number takes the rule's default. learningRate is the base that schedules scale. */
export type OptimizerSpec = {
  readonly kind: OptimizerName;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly initialAccumulator?: number;
  readonly epsilon?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly beta?: number;
  readonly l1?: number;
  readonly l2?: number;
};

/** An update rule as the kernels take it. */
export type ResolvedOptimizer = {
  readonly kind: OptimizerKind;
  /** In the order that {@link OptimizerKind} documents. */
  readonly hyper: readonly number[];
  readonly learningRate: number;
};

type HyperName = Exclude<keyof OptimizerSpec, 'kind' | 'learningRate'>;
type Rule = {
  readonly kind: OptimizerKind;
  readonly learningRate: number;
  /** Names in kernel order, each with its default. */
  readonly hyper: readonly (readonly [HyperName, number])[];
};

// Defaults. Accumulators start at 0, not at Monolith's 0.1: gradients here are of the mean loss over a step, so a row's are of the order of
// 1/batch, and a start of 0.1 would hold training up for thousands of steps. Adagrad's epsilon only guards a zero accumulator (as in PyTorch).
// Adam's are those of the paper (Kingma & Ba 2015); Monolith's 0.99 and 0.01 must be asked for.
const RULES: { readonly [name in OptimizerName]: Rule } = {
  sgd: { kind: OptimizerKind.sgd, learningRate: 0.01, hyper: [['weightDecay', 0]] },
  adagrad: {
    kind: OptimizerKind.adagrad,
    learningRate: 0.05,
    hyper: [
      ['weightDecay', 0],
      ['initialAccumulator', 0],
      ['epsilon', 1e-10],
    ],
  },
  'rowwise-adagrad': {
    kind: OptimizerKind.rowwiseAdagrad,
    learningRate: 0.05,
    hyper: [
      ['weightDecay', 0],
      ['initialAccumulator', 0],
      ['epsilon', 1e-10],
    ],
  },
  adam: {
    kind: OptimizerKind.adam,
    learningRate: 0.001,
    hyper: [
      ['weightDecay', 0],
      ['beta1', 0.9],
      ['beta2', 0.999],
      ['epsilon', 1e-8],
    ],
  },
  ftrl: {
    kind: OptimizerKind.ftrl,
    learningRate: 0.05,
    hyper: [
      ['weightDecay', 0],
      ['initialAccumulator', 0],
      ['beta', 0],
      ['l1', 0],
      ['l2', 0],
    ],
  },
};

/** The update rules by name. */
export const optimizerNames = Object.keys(RULES) as readonly OptimizerName[];

/**
 * Turns an optimizer as users write it into kernel numbers, defaults filled in:
 *
 *     sgd              learningRate 0.01,  weightDecay 0
 *     adagrad          learningRate 0.05,  weightDecay 0, initialAccumulator 0, epsilon 1e-10
 *     rowwise-adagrad  learningRate 0.05,  weightDecay 0, initialAccumulator 0, epsilon 1e-10
 *     adam             learningRate 0.001, weightDecay 0, beta1 0.9, beta2 0.999, epsilon 1e-8
 *     ftrl             learningRate 0.05,  weightDecay 0, initialAccumulator 0, beta 0, l1 0, l2 0
 *
 * Throws InvalidConfig for an unknown rule, a number that the rule does not have, or one out of range.
 */
export function resolveOptimizer(spec: OptimizerSpec): ResolvedOptimizer {
  const rule = Object.hasOwn(RULES, spec.kind) ? RULES[spec.kind] : undefined;
  if (rule === undefined) {
    throw new MonolithError('InvalidConfig', `optimizer: unknown kind "${String(spec.kind)}"; known: ${optimizerNames.join(', ')}`);
  }
  const names = rule.hyper.map(([name]) => name);
  for (const [key, value] of Object.entries(spec)) {
    if (key === 'kind' || key === 'learningRate' || value === undefined) continue;
    if (!names.some((name) => name === key)) {
      throw new MonolithError(
        'InvalidConfig',
        `optimizer ${spec.kind}: has no number "${key}"; it takes learningRate, ${names.join(', ')}`,
        { optimizer: spec.kind, option: key },
      );
    }
  }
  const learningRate = spec.learningRate ?? rule.learningRate;
  checkRange(spec.kind, 'learningRate', learningRate, (x) => x > 0, '> 0');
  const hyper = rule.hyper.map(([name, fallback]) => {
    const value = spec[name] ?? fallback;
    checkHyper(spec.kind, name, value);
    return value;
  });
  return { kind: rule.kind, hyper, learningRate };
}

/** The rule of batch-norm statistics: w += (1 − momentum)·(gradient − w). Takes no learning rate. */
export function movingAverageOptimizer(momentum: number): ResolvedOptimizer {
  checkRange('movingAverage', 'momentum', momentum, (x) => x >= 0 && x < 1, 'in [0, 1)');
  return { kind: OptimizerKind.movingAverage, hyper: [momentum], learningRate: 0 };
}

function checkHyper(optimizer: string, name: HyperName, value: number): void {
  if (name === 'beta1' || name === 'beta2') checkRange(optimizer, name, value, (x) => x >= 0 && x < 1, 'in [0, 1)');
  else checkRange(optimizer, name, value, (x) => x >= 0, '≥ 0');
}

function checkRange(optimizer: string, name: string, value: number, holds: (x: number) => boolean, range: string): void {
  if (typeof value === 'number' && Number.isFinite(value) && holds(value)) return;
  throw new MonolithError('InvalidConfig', `optimizer ${optimizer}: ${name} must be ${range}, got ${String(value)}`, {
    optimizer,
    option: name,
  });
}
