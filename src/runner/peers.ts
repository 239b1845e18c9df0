import { MonolithError, monotonicMs } from '../base/index.js';
import type { Discovery } from '../discovery/index.js';

/** Waits between two questions to the discovery. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2000;

/** Finds the other processes of a job, again and again: one that was restarted may be elsewhere. */
export class Peers {
  /** Where each was when the discovery was last able to say so: role and index → address. */
  private readonly known = new Map<string, string>();

  constructor(
    private readonly discovery: Discovery,
    private readonly types: { readonly ps: string; readonly worker: string },
  ) {}

  /** Where a process is announced now; null where it is not. What the discovery fails with is thrown. */
  async find(role: 'ps' | 'worker', index: number): Promise<string | null> {
    const services = await this.discovery.discover(this.types[role]);
    const address = services.find(({ metadata }) => metadata.index === String(index))?.address ?? null;
    if (address !== null) this.known.set(`${role} ${index}`, address);
    return address;
  }

  /**
   * {@link find} for whoever needs the address now. A discovery that is down does not end a run that has begun: the last address is tried.
   * @throws Unavailable when it is not announced; Discovery when that can't be known.
   */
  async address(role: 'ps' | 'worker', index: number): Promise<string> {
    const address = await this.find(role, index).catch((error: unknown) => {
      const last = this.known.get(`${role} ${index}`);
      if (last === undefined) throw error;
      return last;
    });
    if (address === null) throw new MonolithError('Unavailable', `${nameOf(role, index)} is not announced`, { role, index });
    return address;
  }

  /** Waits until a process is announced. @throws Unavailable naming it and the discovery's last error after timeoutMs */
  async await(role: 'ps' | 'worker', index: number, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const deadline = monotonicMs() + timeoutMs;
    let pause = FIRST_LOOK_MS;
    let problem = '';
    for (;;) {
      try {
        const address = await this.find(role, index);
        if (address !== null) return address;
        problem = '';
      } catch (error) {
        problem = `; the discovery says: ${MonolithError.from(error).message}`;
      }
      if (signal.aborted) throw new MonolithError('Cancelled', `stopped while waiting for ${nameOf(role, index)}`);
      if (monotonicMs() >= deadline) {
        throw new MonolithError(
          'Unavailable',
          `${nameOf(role, index)} was not announced within ${timeoutMs} ms${problem}. Start it, and check that all processes use the same discovery`,
          { role, index, timeoutMs },
        );
      }
      await new Promise<void>((resolve) => {
        const over = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', over);
          resolve();
        };
        const timer = setTimeout(over, pause);
        signal.addEventListener('abort', over, { once: true });
      });
      pause = Math.min(LONGEST_LOOK_MS, pause * 2);
    }
  }
}

function nameOf(role: 'ps' | 'worker', index: number): string {
  return role === 'ps' ? `parameter server ${index}` : index === 0 ? 'the chief (worker 0)' : `worker ${index}`;
}
