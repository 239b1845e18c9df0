import { MonolithError } from '../base/index.js';
import type { EvaluationMetrics, HookContext, HookTrigger, StepMetrics, TrainHook } from '../training/index.js';

/** Evaluates every so many steps or seconds, beside the schedule of the run, and hands the figures on. */
export class EvaluationHook implements TrainHook {
  readonly name: string = 'EvaluationHook';
  readonly trigger: HookTrigger;

  /**
   * @param every   steps, or everySteps and everySeconds.
   * @param receive gets the figures and the number of steps made; awaited. Without evaluation data it is never called.
   */
  constructor(
    every: number | { readonly everySteps?: number; readonly everySeconds?: number },
    private readonly receive: (metrics: EvaluationMetrics, step: number) => void | Promise<void> = () => {},
  ) {
    if (typeof receive !== 'function') {
      throw new MonolithError('InvalidArgument', `EvaluationHook: what receives the figures is a ${typeof receive}, expected a function`);
    }
    this.trigger = typeof every === 'number' ? { everySteps: every } : every;
  }

  async afterStep(_step: number, _metrics: StepMetrics, context: HookContext): Promise<void> {
    const metrics = await context.evaluate();
    if (metrics !== null) await this.receive(metrics, context.step);
  }
}
