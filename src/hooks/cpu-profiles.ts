import { Session } from 'node:inspector';

/** How long a thread may take to answer: one that waits for work looks up every 50 ms, one that computes between two calls. */
const ANSWER_MS = 5000;

type Answer = { readonly id?: number; readonly result?: { readonly profile?: object } };

/**
 * CPU profiles of the main thread and of every worker thread of this process, by the inspector of Node. One at a time in a process; what an
 * answer does not come from in time has no profile.
 */
export class CpuProfiles {
  private readonly session = new Session();
  /** Names of threads by the number of their session. */
  private readonly threads = new Map<string, string>();
  private readonly waiting = new Map<string, (answer: Answer | null) => void>();
  private lastId = 0;

  private constructor() {
    this.session.connect();
    this.session.on('NodeWorker.attachedToWorker', ({ params }) => {
      // "[worker 3] ps-0": the name that the thread was started with.
      this.threads.set(params.sessionId, params.workerInfo.title.replace(/^\[worker \d+\] ?/, ''));
    });
    this.session.on('NodeWorker.detachedFromWorker', ({ params }) => void this.threads.delete(params.sessionId));
    this.session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const answer = JSON.parse(params.message) as Answer;
      this.waiting.get(`${params.sessionId}:${answer.id}`)?.(answer);
    });
  }

  static async start(): Promise<CpuProfiles> {
    const profiles = new CpuProfiles();
    await profiles.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    await profiles.everywhere('Profiler.enable');
    await profiles.everywhere('Profiler.start');
    await profiles.post('Profiler.enable');
    await profiles.post('Profiler.start');
    return profiles;
  }

  /** Ends profiling. @returns the profile of each thread by name, in the form of a .cpuprofile file. */
  async stop(): Promise<ReadonlyMap<string, object>> {
    const found = new Map<string, object>();
    const main = (await this.post('Profiler.stop')) as { readonly profile: object };
    found.set('main', main.profile);
    for (const [name, answer] of await this.everywhere('Profiler.stop')) {
      if (answer?.result?.profile === undefined) continue;
      let unique = name === '' ? 'thread' : name;
      for (let i = 2; found.has(unique); i++) unique = `${name === '' ? 'thread' : name}-${i}`;
      found.set(unique, answer.result.profile);
    }
    return found;
  }

  /** Twice is fine. */
  close(): void {
    this.session.disconnect();
  }

  private post(method: string, params: object = {}): Promise<object> {
    return new Promise((resolve, reject) => {
      this.session.post(method, params, (error, result) => (error === null ? resolve(result ?? {}) : reject(error)));
    });
  }

  /** The same message to every worker thread, at once. */
  private everywhere(method: string): Promise<(readonly [string, Answer | null])[]> {
    return Promise.all([...this.threads].map(async ([sessionId, name]) => [name, await this.ask(sessionId, method)] as const));
  }

  private async ask(sessionId: string, method: string): Promise<Answer | null> {
    const id = ++this.lastId;
    const key = `${sessionId}:${id}`;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<Answer | null>((resolve) => {
      this.waiting.set(key, resolve);
      timer = setTimeout(() => resolve(null), ANSWER_MS);
    });
    try {
      await this.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method }) });
      return await answer;
    } catch {
      // The thread has ended meanwhile.
      return null;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(key);
    }
  }
}
