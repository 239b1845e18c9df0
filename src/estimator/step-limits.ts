import { MonolithError } from '../base/index.js';

/** How far one call of train goes. Neither member: to the limit of the configuration, or without one. */
export type StepLimits = {
  /** Steps to make in this call, counted from where training stands. */
  readonly steps?: number | undefined;
  /** Step at which training ends, counted from the very first start; with `steps` whichever comes first. */
  readonly maxSteps?: number | undefined;
};

/**
 * The step at which a call of train ends: min(step + steps, maxSteps) of those that are given; neither: `configured`. Infinity: no limit.
 * A target behind `step` makes no step.
 *
 * @param step       the global step, where training stands.
 * @param configured limit of the configuration; 0 has none.
 * @throws InvalidArgument for a number that is no whole number ≥ 0.
 */
export function targetStep(step: number, { steps, maxSteps }: StepLimits, configured: number): number {
  check('steps', steps);
  check('maxSteps', maxSteps);
  if (steps === undefined && maxSteps === undefined) return configured === 0 ? Number.POSITIVE_INFINITY : configured;
  return Math.min(step + (steps ?? Number.POSITIVE_INFINITY), maxSteps ?? Number.POSITIVE_INFINITY);
}

/** @throws InvalidArgument unless `value` is undefined or a whole number ≥ `least`. */
export function check(name: string, value: number | undefined, least = 0): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new MonolithError('InvalidArgument', `${name} is ${String(value)}, expected a whole number ≥ ${least}`, { argument: name });
}
