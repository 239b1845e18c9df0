import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { openDiscovery } from '../discovery/index.js';
import { waitForRestoredCheckpoint } from '../restore/index.js';
import { runChief, type StartDistributed } from './chief-role.js';
import { placeOf } from './place.js';
import { runPs } from './ps-role.js';
import { type RoleContext, runDistributed } from './run-distributed.js';
import { runWorker } from './worker-role.js';

export type RunRoleOptions<T> = {
  /** Version of the program, for messages when processes differ. */
  readonly version: string;
  /** Ends a worker or parameter server at once, and the chief while it waits for others; its training has a signal of its own. */
  readonly signal?: AbortSignal;
  /** Lines for the operator. */
  readonly log: (line: string) => void;
  /** The chief's training; not called in other roles. `config` is that of the job. */
  readonly train: (config: TrainingConfig, start: StartDistributed) => Promise<T>;
};

/**
 * Runs this process's part of a job on several hosts to its end.
 * @returns what `train` returned; null for workers and parameter servers.
 * @throws InvalidConfig, Discovery, RestoreSyncTimeout, Unavailable naming the process that is gone, what the chief ended the job with, what failed here.
 */
export async function runRole<T>(given: TrainingConfig, options: RunRoleOptions<T>): Promise<T | null> {
  const discovery = await openDiscovery(given.discovery);
  if (discovery === null) {
    throw new MonolithError('InvalidConfig', 'a run on several hosts needs to know how its processes find each other: give --discovery');
  }
  const { config, run, listed } = await placeOf(given, discovery);
  const { version, log } = options;
  const signal = options.signal === undefined ? undefined : cancelling(options.signal);
  return runDistributed<T | null>(
    discovery,
    run,
    async (context) => {
      const parts = { config, context, listed, version };
      switch (config.distributed.role) {
        case 'ps':
          await chiefHasRestored(config, context);
          await runPs(parts);
          return null;
        case 'worker':
          await chiefHasRestored(config, context);
          await runWorker(parts);
          return null;
        default:
          return runChief(parts, (start) => options.train(config, start));
      }
    },
    { log, ...(signal === undefined ? {} : { signal }) },
  );
}

/** Where a checkpoint is to be restored, the others begin when the chief has done it. */
async function chiefHasRestored(config: TrainingConfig, { log, signal }: RoleContext): Promise<void> {
  const { restoreDir, modelDir, restoreSyncTimeoutSecs, restoreSyncPollIntervalMs } = config;
  if (restoreDir === null) return;
  log(`waiting for the chief to restore ${modelDir} from ${restoreDir}`);
  const { modelCheckpointPath } = await waitForRestoredCheckpoint(modelDir, {
    timeoutMs: restoreSyncTimeoutSecs * 1000,
    pollIntervalMs: restoreSyncPollIntervalMs,
    signal,
  });
  log(`the chief has restored: the run goes on from ${modelCheckpointPath}`);
}

/** The same signal, with a reason that is an error of ours: waits throw it. */
function cancelling(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new MonolithError('Cancelled', 'this process was told to stop'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return controller.signal;
}
