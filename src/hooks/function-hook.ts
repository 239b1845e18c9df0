import type { HookContext, HookTrigger, StepMetrics, TrainHook } from '../training/index.js';

/** Calls a function after every step that the trigger chooses. */
export class FunctionHook implements TrainHook {
  readonly name: string;
  readonly trigger?: HookTrigger;

  /** @param call gets the step just made, its figures and the context; awaited. @param options `name`: for errors. */
  constructor(
    private readonly call: (step: number, metrics: StepMetrics, context: HookContext) => void | Promise<void>,
    options: { readonly name?: string; readonly trigger?: HookTrigger } = {},
  ) {
    this.name = options.name ?? (call.name === '' ? 'FunctionHook' : call.name);
    if (options.trigger !== undefined) this.trigger = options.trigger;
  }

  afterStep(step: number, metrics: StepMetrics, context: HookContext): void | Promise<void> {
    return this.call(step, metrics, context);
  }
}
