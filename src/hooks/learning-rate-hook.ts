import type { HookContext, HookTrigger, TrainHook } from '../training/index.js';
import { toStandardError, type WriteLine } from './lines.js';

/** Writes a line with the factor that the schedule applies to all learning rates, before every n-th step. */
export class LearningRateHook implements TrainHook {
  readonly name: string = 'LearningRateHook';
  readonly trigger: HookTrigger;

  constructor(
    everySteps: number,
    private readonly write: WriteLine = toStandardError,
  ) {
    this.trigger = { everySteps };
  }

  beforeStep(step: number, context: HookContext): void {
    this.write(`step ${step}: learning rates × ${context.learningRateFactor}`);
  }
}
