import { MonolithError, monotonicMs } from '../base/index.js';
import type { Discovery } from '../discovery/index.js';

/** Waits between two questions to the discovery. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2000;
/** A discovery that is there answers within this time. */
const PROMPT_MS = 250;

/** Finds the other processes of a job, again and again: one that was restarted may be elsewhere. */
export class Peers {
  /** Where each was when the discovery was last able to say so. */
  private readonly known = new Map<string, string>();
  /** Questions that are not answered yet. */
  private readonly asked = new Map<string, Promise<string | null>>();
  /** The last question was not answered in time: whoever knows an address does not wait for the next answer. */
  private slow = false;

  constructor(
    private readonly discovery: Discovery,
    private readonly types: { readonly ps: string; readonly worker: string },
  ) {}

  /** Where a process is announced now; null where it is not. What the discovery fails with is thrown. */
  async find(role: 'ps' | 'worker', index: number): Promise<string | null> {
    const services = await this.discovery.discover(this.types[role]);
    const address = services.find(({ metadata }) => metadata.index === String(index))?.address ?? null;
    if (address !== null) this.known.set(`${role} ${index}`, address);
    this.slow = false;
    return address;
  }

  /**
   * {@link find} for whoever needs the address now. A run that has begun does without a discovery that is down or slow: it tries the last
   * address, and hears of another one at one of its next attempts.
   * @throws Unavailable when it is not announced; Discovery when that can't be known.
   */
  async address(role: 'ps' | 'worker', index: number): Promise<string> {
    const last = this.known.get(`${role} ${index}`) ?? null;
    const answer = this.ask(role, index);
    const address = await (last === null ? answer : this.unlessSlow(answer, last));
    if (address === null) throw new MonolithError('Unavailable', `${nameOf(role, index)} is not announced`, { role, index });
    return address;
  }

  private ask(role: 'ps' | 'worker', index: number): Promise<string | null> {
    const name = `${role} ${index}`;
    const underWay = this.asked.get(name);
    if (underWay !== undefined) return underWay;
    const answer = this.find(role, index).finally(() => this.asked.delete(name));
    this.asked.set(name, answer);
    return answer;
  }

  private async unlessSlow(answer: Promise<string | null>, last: string): Promise<string | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(last), this.slow ? 0 : PROMPT_MS);
    });
    const failed = (): string => last;
    try {
      const first = await Promise.race([answer.then((address) => ({ address }), failed), late]);
      if (typeof first !== 'string') return first.address;
      this.slow = true;
      return first;
    } finally {
      clearTimeout(timer);
    }
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
