import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, open, readFile, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MonolithError, makeFolderDurable } from '../base/index.js';

/** Who holds a run folder. A process is known by its id and the time it started, since ids are used again. */
type Holder = { readonly pid: number; readonly started: string | null; readonly host: string; readonly token: string };

/** What a folder is held for, in the words of the error that keeps a second process out. */
export type FolderUse = {
  /** What the holder does, after "process 12": `is training there`. */
  readonly doing: string;
  /** What asks for the folder: `run`. */
  readonly asker: string;
  /** The option that names another folder. */
  readonly option: string;
  /** A holder shows that it runs by touching its lock; silent for so long, one on another host is taken for gone. */
  readonly silentMs: number;
};

const TRAINING: FolderUse = { doing: 'is training there', asker: 'run', option: '--model-dir', silentMs: 300_000 };

/** Touches of a lock in the time after which silence counts. */
const PULSES = 10;

/** Tries at a lock that others are releasing or taking over at the same moment. */
const MAX_TRIES = 10;

/**
 * Keeps a second process out of a folder: two would delete and overwrite each other's files. The file `run.lock` names the holder; one left by
 * a process that is gone, killed for instance, is taken over; one of another host once it has been silent for a while.
 */
export class RunLock {
  private readonly pulse: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly token: string,
    /** The folder, when it was made for the lock. */
    private readonly made: string | null,
    silentMs: number,
  ) {
    this.pulse = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {});
    }, silentMs / PULSES);
    this.pulse.unref();
  }

  /**
   * Takes the folder, which is made if it is not there.
   * @param use default: a run folder.
   * @throws RunFolderBusy naming the process that holds it; WriteFailed.
   */
  static async take(modelDir: string, use: FolderUse = TRAINING): Promise<RunLock> {
    const made = await stat(modelDir).then(
      () => null,
      () => modelDir,
    );
    await makeFolderDurable(modelDir);
    const path = join(modelDir, 'run.lock');
    const me: Holder = {
      pid: process.pid,
      started: await startOf(process.pid),
      host: hostname(),
      token: randomBytes(8).toString('hex'),
    };
    const mine = `${path}.${me.token}`;
    try {
      // Linked into place whole: nobody ever reads half a lock.
      await writeNew(mine, JSON.stringify(me));
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        if (await linked(mine, path)) return new RunLock(path, me.token, made, use.silentMs);
        const text = await readFile(path, 'utf8').catch(() => null);
        if (text === null) continue;
        const holder = holderOf(text);
        if (holder !== null && (await isAlive(holder, path, use.silentMs))) throw busy(modelDir, path, holder, use);
        await discard(path, text, me.token);
      }
    } finally {
      await rm(mine, { force: true });
    }
    throw new MonolithError('RunFolderBusy', `${modelDir}: other processes keep taking ${path}; start one at a time`, { modelDir, path });
  }

  /** Gives the folder back. Never throws: a lock that stays is taken over by the next run. */
  async close(): Promise<void> {
    clearInterval(this.pulse);
    const text = await readFile(this.path, 'utf8').catch(() => null);
    if (text !== null && holderOf(text)?.token === this.token) await rm(this.path, { force: true }).catch(() => {});
    // A run that came to nothing leaves nothing: a folder with something in it stays.
    if (this.made !== null) await rmdir(this.made).catch(() => {});
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    throw new MonolithError(full ? 'DiskFull' : 'WriteFailed', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EOPNOTSUPP') return copied(from, to);
    throw new MonolithError('WriteFailed', `${to}: ${(error as Error).message}`, { path: to }, { cause: error });
  }
}

/** For file systems without hard links: others may read half a lock for a moment, and take a torn one over. */
async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new MonolithError('WriteFailed', `${to}: ${(error as Error).message}`, { path: to }, { cause: error });
  }
}

/** Takes a dead holder's lock away. When it was another's by then, it is put back. */
async function discard(path: string, expected: string, token: string): Promise<void> {
  const aside = `${path}.stale-${token}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await readFile(aside, 'utf8').catch(() => expected)) !== expected) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function holderOf(text: string): Holder | null {
  try {
    const { pid, started, host, token } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isInteger(pid) || typeof host !== 'string' || typeof token !== 'string') return null;
    return { pid: Number(pid), started: started ?? null, host, token };
  } catch {
    return null;
  }
}

/** Whether the holder runs. Of another host, which may be a container that came back under another name, only the pulse of its lock is known. */
async function isAlive(holder: Holder, path: string, silentMs: number): Promise<boolean> {
  if (holder.host !== hostname()) {
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    return Date.now() - mtimeMs < silentMs;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: somebody else's process, but one that runs.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const started = await startOf(holder.pid);
  return holder.started === null || started === null || started === holder.started;
}

/** When a process started, in the system's own terms and with its boot; null where that can't be told. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    // The name in parentheses may hold anything; field 22 is the 20th after it.
    return `${boot.trim()}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}

function busy(modelDir: string, path: string, { pid, host }: Holder, { doing, asker, option, silentMs }: FolderUse): MonolithError {
  const elsewhere = host === hostname() ? '' : ` on ${host}`;
  const advice = elsewhere === '' ? '' : `; if that process is gone, wait ${silentMs / 1000} seconds or delete ${path}`;
  return new MonolithError(
    'RunFolderBusy',
    `${modelDir}: process ${pid}${elsewhere} ${doing}; wait for it, or give this ${asker} another ${option}${advice}`,
    { modelDir, pid, host },
  );
}
