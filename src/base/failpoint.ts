import { MonolithError } from './errors.js';

/**
 * What an armed failpoint does:
 * `kill` the process at once (SIGKILL), `exit` the thread or process with code 70, `throw` an Internal error,
 * `eio` / `enospc` throw as the operating system would, `sleep:MS` block this thread,
 * and, returned to the place that asked, `short-write`, `drop`, `duplicate`.
 */
export type FailpointAction = 'kill' | 'exit' | 'throw' | 'eio' | 'enospc' | 'short-write' | 'drop' | 'duplicate' | `sleep:${number}`;

/** Actions that the caller of {@link failpoint} must carry out itself. */
export type CallerAction = 'short-write' | 'drop' | 'duplicate';

type Armed = { readonly action: FailpointAction; readonly occurrence: number; readonly andLater: boolean };

/**
 * The one piece of module state in this room: failpoints concern the whole process by nature. Tests put it back with
 * {@link disarmAll}. `active` is false in every run without failpoints, so that {@link failpoint} costs one load and one branch.
 */
const registry = { active: false, armed: new Map<string, Armed[]>(), counts: new Map<string, number>() };

/** Environment variable that arms failpoints: "name=action[@occurrence],…", e.g. "checkpoint.beforeManifestRename=kill@2". */
export const FAILPOINTS_VARIABLE = 'MONOLITH_LOCAL_FAILPOINTS';

/**
 * A named place where tests make things go wrong. Does nothing unless armed.
 *
 * @param name `room.beforeX` or `room.afterX`.
 * @returns what the caller must do itself, or null.
 * @throws whatever the armed action says.
 */
export function failpoint(name: string): CallerAction | null {
  return registry.active ? reached(name) : null;
}

/**
 * Arms one failpoint.
 *
 * @param occurrence 1 is the first time it is reached from now on; null means every time.
 * @param andLater   also at every later time (a disk that stays full).
 */
export function armFailpoint(name: string, action: FailpointAction, occurrence: number | null = null, andLater = false): void {
  const before = registry.counts.get(name) ?? 0;
  const armed = { action, occurrence: before + (occurrence ?? 1), andLater: andLater || occurrence === null };
  registry.armed.set(name, [...(registry.armed.get(name) ?? []), armed]);
  registry.active = true;
}

/** Disarms everything and forgets the counts. */
export function disarmAll(): void {
  registry.active = false;
  registry.armed.clear();
  registry.counts.clear();
}

/** Starts counting how often each failpoint is reached, from zero; read with {@link failpointCounts}. */
export function countFailpoints(): void {
  registry.counts.clear();
  registry.active = true;
}

/** How often each failpoint was reached since it was armed or counted. */
export function failpointCounts(): ReadonlyMap<string, number> {
  return new Map(registry.counts);
}

/**
 * Arms the failpoints of a list "name=action[@occurrence[+]],…"; the plus means "and at every later time".
 * @throws InvalidArgument naming the part that can't be read.
 */
export function armFailpoints(list: string): void {
  for (const part of list.split(',').filter((text) => text.trim() !== '')) {
    const match = /^\s*([\w.-]+)=(kill|exit|throw|eio|enospc|short-write|drop|duplicate|sleep:\d+)(?:@([1-9]\d*)(\+)?)?\s*$/.exec(part);
    if (match === null) {
      throw new MonolithError(
        'InvalidArgument',
        `${FAILPOINTS_VARIABLE}: can't read "${part}"; expected name=action[@occurrence], with action one of kill, exit, throw, eio, enospc, short-write, drop, duplicate, sleep:MS`,
        { part },
      );
    }
    armFailpoint(match[1], match[2] as FailpointAction, match[3] === undefined ? null : Number(match[3]), match[4] === '+');
  }
}

function reached(name: string): CallerAction | null {
  const count = (registry.counts.get(name) ?? 0) + 1;
  registry.counts.set(name, count);
  const due = registry.armed.get(name)?.find((armed) => count === armed.occurrence || (armed.andLater && count > armed.occurrence));
  return due === undefined ? null : act(name, due.action);
}

function act(name: string, action: FailpointAction): CallerAction | null {
  switch (action) {
    case 'short-write':
    case 'drop':
    case 'duplicate':
      return action;
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      block(60_000);
      return null;
    case 'exit':
      return process.exit(70);
    case 'throw':
      throw new MonolithError('Internal', `failpoint ${name}: thrown by a test`, { failpoint: name });
    case 'eio':
    case 'enospc':
      throw systemError(action === 'eio' ? 'EIO' : 'ENOSPC', name);
    default:
      block(Number(action.slice('sleep:'.length)));
      return null;
  }
}

function systemError(code: string, name: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: injected at failpoint ${name}`);
  error.code = code;
  return error;
}

/** Blocks this thread, as a stalled disk or lock would. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const fromEnvironment = process.env[FAILPOINTS_VARIABLE];
if (fromEnvironment !== undefined) armFailpoints(fromEnvironment);
