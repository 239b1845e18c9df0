import { existsSync } from 'node:fs';
import { MonolithError, removeQuietly } from '../base/index.js';
import type { HookContext, HookTrigger, TrainHook } from '../training/index.js';

/** Seconds between looks for the file: soon enough for people, and waiting for the steps in flight once a second costs nothing. */
const LOOK_SECONDS = 1;

/**
 * Ends training after the step in hand once a file is there. The run saves as at every end; then the file is deleted, so that the same
 * command goes on. A run that fails to save leaves it.
 */
export class StopFileHook implements TrainHook {
  readonly name: string = 'StopFileHook';
  readonly trigger: HookTrigger;
  private found = false;

  /** @param path of the file; what is in it makes no difference. @param every how often to look; once a second unless given. */
  constructor(
    readonly path: string,
    every: { readonly everySteps?: number; readonly everySeconds?: number } = { everySeconds: LOOK_SECONDS },
  ) {
    if (typeof path !== 'string' || path === '')
      throw new MonolithError('InvalidArgument', 'StopFileHook: expected the path of a file', { path });
    this.trigger = every;
  }

  begin(context: HookContext): void {
    this.found = false;
    this.look(context);
  }

  afterStep(_step: number, _metrics: unknown, context: HookContext): void {
    this.look(context);
  }

  /** Everything is saved. */
  async onEnd(): Promise<void> {
    if (this.found) await removeQuietly(this.path);
  }

  private look(context: HookContext): void {
    if (!existsSync(this.path)) return;
    this.found = true;
    context.stop(`${this.path} is there`);
  }
}
