import { MonolithError } from '../base/index.js';

/** Decides whether a hook is called around a step. */
export interface StepDecision {
  /**
   * Asked once for every step of a run, in order.
   * @param step  the step about to be made, from 0.
   * @param nowMs a clock that only goes forward.
   */
  due(step: number, nowMs: number): boolean;
}

/**
 * The steps around which a hook is called. `everySteps: n`: every n-th, after which the number of steps made is a multiple of n.
 * `everySeconds: s`: the first step that begins s seconds or more after the last one. Both: when either says so. Or a decision of its own.
 */
export type HookTrigger = { readonly everySteps?: number; readonly everySeconds?: number } | StepDecision;

/** Every n-th step: those after which the number of steps made is a multiple of n. */
export class StepTrigger implements StepDecision {
  /** @param everySteps an integer ≥ 1. @throws InvalidArgument */
  constructor(readonly everySteps: number) {
    if (!Number.isSafeInteger(everySteps) || everySteps < 1) {
      throw new MonolithError('InvalidArgument', `trigger of a hook: everySteps must be an integer ≥ 1, got ${everySteps}`);
    }
  }

  due(step: number): boolean {
    return (step + 1) % this.everySteps === 0;
  }
}

/** The first step that begins a time after the last one that was chosen, or after the first step of the run. */
export class TimeTrigger implements StepDecision {
  private lastMs: number | null = null;

  /** @param everySeconds > 0. @throws InvalidArgument */
  constructor(readonly everySeconds: number) {
    if (!(everySeconds > 0 && Number.isFinite(everySeconds))) {
      throw new MonolithError('InvalidArgument', `trigger of a hook: everySeconds must be a number > 0, got ${everySeconds}`);
    }
  }

  due(_step: number, nowMs: number): boolean {
    this.lastMs ??= nowMs;
    if (nowMs - this.lastMs < this.everySeconds * 1000) return false;
    this.lastMs = nowMs;
    return true;
  }
}

/** The decision that a trigger stands for; without one: every step. @throws InvalidArgument for numbers that make no sense */
export function decisionOf(trigger: HookTrigger | undefined): StepDecision {
  if (trigger === undefined) return new StepTrigger(1);
  if ('due' in trigger) return trigger;
  const { everySteps, everySeconds } = trigger;
  const decisions = [
    ...(everySteps === undefined ? [] : [new StepTrigger(everySteps)]),
    ...(everySeconds === undefined ? [] : [new TimeTrigger(everySeconds)]),
  ];
  if (decisions.length === 0) {
    throw new MonolithError('InvalidArgument', 'trigger of a hook: give everySteps, everySeconds or both, or leave the trigger out');
  }
  // Each is asked every time: a clock of its own must not be skipped.
  return { due: (step, nowMs) => decisions.map((decision) => decision.due(step, nowMs)).includes(true) };
}
