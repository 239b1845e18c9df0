import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';

/** Options in which processes of one job may differ: where they run, what they print, where the same files lie. */
const OWN_OPTIONS: ReadonlySet<string> = new Set([
  'model',
  'modelDir',
  'data.train',
  'data.eval',
  'data.cache',
  'data.parseThreads',
  'fresh',
  'restoreDir',
  'restoreCkpt',
  'restoreSyncTimeoutSecs',
  'restoreSyncPollIntervalMs',
  'checkpointEvery',
  'checkpointEverySeconds',
  'keepCheckpoints',
  'keepBest',
  'evalEvery',
  'evalSteps',
  'evalEverySeconds',
  'stopFile',
  'hooks',
  'profileSteps',
  'logEvery',
  'json',
  'quiet',
  'backend',
  'stepTimeoutMs',
  'shardWork',
]);
const OWN_SECTIONS = ['distributed', 'discovery', 'earlyStop', 'warmStart'];

/** What all processes of a job must have in common: dotted option names to values, as JSON. */
export function sharedConfig(config: TrainingConfig): string {
  const shared: Record<string, unknown> = {};
  const visit = (value: unknown, path: string): void => {
    if (OWN_OPTIONS.has(path) || OWN_SECTIONS.includes(path)) return;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, member] of Object.entries(value)) visit(member, path === '' ? key : `${path}.${key}`);
    } else if (value !== undefined) {
      shared[path] = value;
    }
  };
  visit(config, '');
  return JSON.stringify(shared);
}

/** Differences named before the rest is counted. */
const MOST_NAMED = 5;

/** Why a process with `theirs` can't take part in a job with `ours`; null if it can. Both are from {@link sharedConfig}. */
export function configDifference(who: string, ours: string, theirs: string): MonolithError | null {
  if (ours === theirs) return null;
  const mine = parse(ours);
  const other = parse(theirs);
  if (other === null || mine === null) return new MonolithError('InvalidConfig', `${who}: its configuration can't be read`);
  const differing = [...new Set([...Object.keys(mine), ...Object.keys(other)])]
    .sort()
    .filter((path) => JSON.stringify(mine[path]) !== JSON.stringify(other[path]));
  if (differing.length === 0) return null;
  const named = differing.slice(0, MOST_NAMED).map((path) => `${path} (here ${show(mine[path])}, there ${show(other[path])})`);
  const more = differing.length > MOST_NAMED ? ` and ${differing.length - MOST_NAMED} more` : '';
  return new MonolithError(
    'InvalidConfig',
    `${who} has another configuration than the chief: ${named.join(', ')}${more}. Start all processes with the same options`,
    { options: differing },
  );
}

function parse(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function show(value: unknown): string {
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
