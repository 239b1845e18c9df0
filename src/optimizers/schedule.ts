import { MonolithError } from '../base/index.js';

/** How the learning rate moves with the step, as users write it. Missing numbers: warmupSteps 0, endFactor 0, power 1, decayRate 0.96. */
export type ScheduleSpec = {
  readonly kind: 'constant' | 'linear' | 'cosine' | 'exponential' | 'polynomial';
  /** Steps in which the rate grows linearly from 0 to its base. */
  readonly warmupSteps?: number;
  /** Steps after the warm-up until endFactor is reached; exponential: steps in which the rate falls by decayRate. */
  readonly decaySteps?: number;
  /** Rate at the end as a share of the base; exponential: never below it. */
  readonly endFactor?: number;
  /** Exponent of polynomial. */
  readonly power?: number;
  /** Factor of exponential, in (0, 1]. */
  readonly decayRate?: number;
};

const KINDS = ['constant', 'linear', 'cosine', 'exponential', 'polynomial'];

/** Throws InvalidConfig when a schedule's numbers make no sense. Call once; {@link learningRateAt} trusts them. */
export function checkSchedule(schedule: ScheduleSpec): void {
  const fail = (text: string) => new MonolithError('InvalidConfig', `schedule ${schedule.kind}: ${text}`, { schedule: schedule.kind });
  if (!KINDS.includes(schedule.kind)) {
    throw new MonolithError('InvalidConfig', `schedule: unknown kind "${String(schedule.kind)}"; known: ${KINDS.join(', ')}`);
  }
  const { warmupSteps = 0, decaySteps, endFactor = 0, power = 1, decayRate = 0.96 } = schedule;
  if (!Number.isInteger(warmupSteps) || warmupSteps < 0) throw fail(`warmupSteps must be a whole number ≥ 0, got ${warmupSteps}`);
  if (schedule.kind !== 'constant' && !(decaySteps !== undefined && Number.isInteger(decaySteps) && decaySteps > 0)) {
    throw fail(`decaySteps must be a whole number > 0, got ${String(decaySteps)}`);
  }
  if (!(endFactor >= 0 && Number.isFinite(endFactor))) throw fail(`endFactor must be ≥ 0, got ${endFactor}`);
  if (!(power > 0 && Number.isFinite(power))) throw fail(`power must be > 0, got ${power}`);
  if (!(decayRate > 0 && decayRate <= 1)) throw fail(`decayRate must be in (0, 1], got ${decayRate}`);
}

/**
 * Learning rate of one step. Warm-up: step s < warmupSteps uses baseRate·(s + 1)/warmupSteps. After it, with t = s − warmupSteps,
 * u = min(1, t/decaySteps) and e = endFactor:
 *
 *     constant     baseRate
 *     linear       baseRate·(1 − (1 − e)·u)
 *     cosine       baseRate·(e + (1 − e)·(1 + cos πu)/2)
 *     exponential  baseRate·max(e, decayRate^(t/decaySteps))
 *     polynomial   baseRate·(e + (1 − e)·(1 − u)^power)
 *
 * @param step 0-based.
 */
export function learningRateAt(schedule: ScheduleSpec, baseRate: number, step: number): number {
  const warmupSteps = schedule.warmupSteps ?? 0;
  if (step < warmupSteps) return (baseRate * (step + 1)) / warmupSteps;
  return baseRate * decayFactor(schedule, step - warmupSteps);
}

function decayFactor(schedule: ScheduleSpec, t: number): number {
  const decaySteps = schedule.decaySteps ?? 1;
  const end = schedule.endFactor ?? 0;
  const u = Math.min(1, t / decaySteps);
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - (1 - end) * u;
    case 'cosine':
      return end + ((1 - end) * (1 + Math.cos(Math.PI * u))) / 2;
    case 'exponential':
      return Math.max(end, (schedule.decayRate ?? 0.96) ** (t / decaySteps));
    case 'polynomial':
      return end + (1 - end) * (1 - u) ** (schedule.power ?? 1);
    default:
      throw new RangeError(`unknown schedule ${String(schedule.kind satisfies never)}`);
  }
}
