import { MonolithError } from '../base/index.js';
import type { HookContext, StepDecision, StepMetrics, TrainHook } from '../training/index.js';
import { toStandardError, type WriteLine } from './lines.js';

/** Writes a line with loss and examples at step 0 and at every step that is a multiple of `everySteps`. */
export class LoggingHook implements TrainHook {
  readonly name: string = 'LoggingHook';
  readonly trigger: StepDecision = { due: (step) => step % this.everySteps === 0 };

  /** @param everySteps an integer ≥ 1. @throws InvalidArgument */
  constructor(
    readonly everySteps: number,
    private readonly write: WriteLine = toStandardError,
  ) {
    if (!Number.isSafeInteger(everySteps) || everySteps < 1) {
      throw new MonolithError('InvalidArgument', `LoggingHook: everySteps must be an integer ≥ 1, got ${everySteps}`);
    }
  }

  afterStep(step: number, metrics: StepMetrics, _context: HookContext): void {
    const figures = Object.entries(metrics).map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(6)}`);
    this.write(`step ${step}: ${figures.join(', ')}`);
  }
}
