import { z } from 'zod';
import { integer, nullableText } from './option.js';

/** Longest timer that Node keeps, in s; a longer one fires at once. */
const MAX_TIMEOUT_SECS = Math.floor((2 ** 31 - 1) / 1000);
const filled = z.string().min(1);

/** Options of a run that starts from another run's checkpoint. */
export const restoreOptions = {
  restoreDir: nullableText(
    'a folder',
    filled,
    'train: the run folder whose checkpoint a new run starts from: it is copied into modelDir once, and training goes on from it. worker, ps: wait until the chief has done so (the same modelDir).',
    { path: 'folder', group: 'Run' },
  ),
  restoreCkpt: nullableText(
    'a path or its last part',
    filled,
    'train: which checkpoint of restoreDir, checkpoint-1200 for instance; null: the last one. eval, predict: the checkpoint to use instead of the newest, of modelDir or else of restoreDir.',
    { group: 'Run' },
  ),
  restoreSyncTimeoutSecs: integer(3600, 'worker, ps: seconds to wait for the chief to restore modelDir.', {
    min: 1,
    max: MAX_TIMEOUT_SECS,
    group: 'Run',
  }),
  restoreSyncPollIntervalMs: integer(30_000, 'worker, ps: longest pause between two looks, milliseconds. The first ones come sooner.', {
    min: 1,
    max: MAX_TIMEOUT_SECS * 1000,
    group: 'Run',
  }),
};
