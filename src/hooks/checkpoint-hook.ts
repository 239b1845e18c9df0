import { unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MonolithError } from '../base/index.js';
import { checkpointName, listCheckpoints } from '../checkpoint/index.js';
import { decisionOf, type HookContext, type HookTrigger, type StepMetrics, type TrainHook } from '../training/index.js';

/** Writes a checkpoint of its own kind. @returns the path it wrote, when that is another one than it was given. */
export type SaveFunction = (
  step: number,
  path: string,
  context: HookContext,
) => string | undefined | Promise<string | undefined> | void | Promise<void>;

export type CheckpointHookOptions = {
  /** How many of the newest checkpoints stay, those of earlier runs included; 0: all. */
  readonly maxToKeep?: number;
  /** Takes the place of the run's own checkpoints; gets the path `<modelDir>/checkpoint-<step>.json`. The folder exists by then or is the function's to make. */
  readonly save?: SaveFunction;
  /** Figure of the evaluation whose best state is saved and kept besides. Not with `save`. */
  readonly keepBest?: string;
};

const MAX_TO_KEEP = 5;

/**
 * Saves the run's real checkpoint (parameters, rows, optimizer state, place in the data) whenever so many steps are made or seconds have gone
 * by, and at the end. It takes over which checkpoints stay: the newest `maxToKeep`, never without the one just written.
 *
 * ```ts
 * hooks: [new CheckpointHook('model', 1000, { maxToKeep: 2, keepBest: 'auc' })]
 * ```
 */
export class CheckpointHook implements TrainHook {
  readonly name: string = 'CheckpointHook';
  readonly trigger: HookTrigger;
  private readonly maxToKeep: number;
  /** Paths that the save function wrote, oldest first. */
  private written: string[] = [];
  private savedStep = -1;

  /**
   * @param modelDir the folder of the run; with a `save` function any folder.
   * @param every    steps between saves (below 1 it counts as 1), or everySteps and everySeconds.
   * @throws InvalidArgument
   */
  constructor(
    readonly modelDir: string,
    every: number | { readonly everySteps?: number; readonly everySeconds?: number },
    private readonly options: CheckpointHookOptions = {},
  ) {
    this.maxToKeep = options.maxToKeep ?? MAX_TO_KEEP;
    this.trigger = decisionOf(typeof every === 'number' ? { everySteps: Math.max(1, Math.floor(every)) } : every);
    if (!Number.isSafeInteger(this.maxToKeep) || this.maxToKeep < 0) {
      throw new MonolithError('InvalidArgument', `CheckpointHook: maxToKeep must be an integer ≥ 0 (0 keeps all), got ${this.maxToKeep}`);
    }
    if (options.save !== undefined && options.keepBest !== undefined) {
      throw new MonolithError('InvalidArgument', 'CheckpointHook: keepBest goes with checkpoints of the run, not with a save function');
    }
  }

  begin(context: HookContext): void {
    if (this.options.save !== undefined) return;
    if (resolve(this.modelDir) !== resolve(context.modelDir)) {
      throw new MonolithError(
        'InvalidArgument',
        `CheckpointHook: modelDir is ${this.modelDir}, but the run saves in ${context.modelDir}; give that folder, or a save function`,
        { modelDir: this.modelDir, expected: context.modelDir },
      );
    }
    const { keepBest } = this.options;
    context.retain({ newest: this.maxToKeep, ...(keepBest === undefined ? {} : { best: keepBest }) });
  }

  afterStep(_step: number, _metrics: StepMetrics, context: HookContext): Promise<void> {
    return this.save(context);
  }

  end(_step: number, _metrics: StepMetrics | null, context: HookContext): Promise<void> {
    return this.save(context);
  }

  private async save(context: HookContext): Promise<void> {
    const { save } = this.options;
    if (save === undefined) {
      await context.save();
      return;
    }
    const { step } = context;
    if (step === this.savedStep) return;
    const path = join(this.modelDir, `${checkpointName(step)}.json`);
    const written = (await save(step, path, context)) ?? path;
    this.savedStep = step;
    this.written = [...this.written.filter((other) => other !== written), written];
    if (this.maxToKeep > 0) await this.prune(written);
  }

  /** Deletes the oldest of the folder's checkpoints by step, and of those written elsewhere by age; never the one just written. */
  private async prune(justWritten: string): Promise<void> {
    const inFolder = (await listCheckpoints(this.modelDir)).map(({ path }) => path);
    const elsewhere = this.written.filter((path) => !inFolder.includes(path));
    for (const paths of [inFolder, elsewhere]) {
      for (const path of paths.slice(0, Math.max(0, paths.length - this.maxToKeep))) {
        if (path !== justWritten) await deleteFile(path);
      }
    }
    this.written = this.written.slice(-this.maxToKeep);
  }
}

/** A file that is gone already is fine. */
async function deleteFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new MonolithError('WriteFailed', `${path}: can't delete: ${text}. Check the permissions of the folder`, { path }, { cause });
  }
}
