import type { ResolvedConfig } from '../config/index.js';
import type { TrainResult } from '../training/index.js';
import { inSession, type TrainOptions } from './in-session.js';

export type JoinOptions = TrainOptions & {
  /** Lines about the other processes of the job. */
  readonly log: (line: string) => void;
};

/**
 * Takes part in a job on several hosts until it is over, as chief, worker or parameter server: as `distributed` and `discovery` of the
 * configuration say. Ends by itself when the chief says that the job is done.
 *
 * @returns how the training ended at the chief; null for the other roles.
 * @throws what {@link Estimator.train} throws; Unavailable naming a process that was away for longer than the peer timeout; Discovery; for
 * workers and parameter servers also what the chief ended the job with.
 */
export async function joinJob(resolved: ResolvedConfig, options: JoinOptions): Promise<TrainResult | null> {
  const config = { ...resolved.config, distributed: { ...resolved.config.distributed, enabled: true } };
  return inSession(config, options, (session) => session.run(options));
}
