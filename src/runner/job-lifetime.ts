import { MonolithError, monotonicMs } from '../base/index.js';
import { RpcChannel, type RpcChannelOptions, type RpcService } from '../grpc/index.js';
import { aliveRequest, endRequest, trainingJobPaths } from '../proto/index.js';
import { signOfLifeMs } from './followers.js';
import { fromWire, toWire } from './wire-error.js';

export type JobLifetimeOptions = {
  readonly peerTimeoutMs: number;
  /** How long to wait for a first chief. */
  readonly startTimeoutMs: number;
  /** Wait for the next chief instead of ending. */
  readonly keep: boolean;
  readonly log: (line: string) => void;
};

const NOTHING = new Uint8Array(0);

/** What a parameter server knows of its chief: whether it is alive, and whether the job is over. */
export class JobLifetime {
  readonly service: RpcService;
  /** Fulfilled when the job is done; rejects with what ended it, or with Unavailable when the chief is gone. Never with `keep`. */
  readonly ended: Promise<void>;
  private chief: string | null = null;
  private job = '';
  private lastHeard = monotonicMs();
  private readonly timer: NodeJS.Timeout;
  private resolve: () => void = () => {};
  private reject: (error: MonolithError) => void = () => {};

  constructor(private readonly options: JobLifetimeOptions) {
    this.ended = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ended.catch(() => {});
    this.service = {
      name: trainingJobPaths.alive.split('/')[1],
      unary: {
        Alive: (request, { peer }) => {
          this.heard(peer, aliveRequest.decode(request).job ?? '');
          return NOTHING;
        },
        End: (request, { peer }) => {
          const { job, error } = endRequest.decode(request);
          // A chief that has been given up says so too late: the job of today is another one.
          if (this.chief === null || job === this.job) this.end(error === undefined ? null : fromWire(error), peer);
          return NOTHING;
        },
      },
    };
    this.timer = setInterval(() => this.look(), signOfLifeMs(Math.min(options.peerTimeoutMs, options.startTimeoutMs)));
  }

  close(): void {
    clearInterval(this.timer);
  }

  private heard(peer: string, job: string): void {
    if (this.chief === null) this.options.log(`the chief at ${peer} leads`);
    this.chief = peer;
    this.job = job;
    this.lastHeard = monotonicMs();
  }

  private look(): void {
    const { peerTimeoutMs, startTimeoutMs, keep } = this.options;
    const silentMs = Math.round(monotonicMs() - this.lastHeard);
    const { chief } = this;
    if (chief !== null && silentMs >= peerTimeoutMs) {
      const text = `the chief at ${chief} has not been heard of for ${silentMs} ms: its process or the way to it is gone; start the job again to go on from the last checkpoint`;
      this.over(new MonolithError('Unavailable', text, { peer: chief, peerTimeoutMs }), text);
    } else if (chief === null && !keep && silentMs >= startTimeoutMs) {
      this.over(
        new MonolithError('Unavailable', `no chief has come for ${silentMs} ms; start it, or check the discovery settings`, {
          startTimeoutMs,
        }),
        '',
      );
    }
  }

  private end(error: MonolithError | null, peer: string): void {
    if (error === null) this.over(null, `the chief at ${peer} says that the job is done`);
    else
      this.over(
        new MonolithError(error.code, `the chief at ${peer} ended the job: ${error.message}`, error.details),
        `the chief at ${peer} ended the job: ${error.message}`,
      );
  }

  private over(error: MonolithError | null, line: string): void {
    this.chief = null;
    this.lastHeard = monotonicMs();
    if (this.options.keep) {
      this.options.log(`${line}; waiting for the next chief`);
      return;
    }
    if (error === null) this.resolve();
    else this.reject(error);
  }
}

/** The chief's signs of life to one parameter server, wherever it is at the time. */
export class ChiefPulse {
  /** Why the last one did not arrive; null when it did. */
  trouble: MonolithError | null = null;
  private channel: RpcChannel | null = null;
  private closed = false;
  private wake: () => void = () => {};

  constructor(
    private readonly job: string,
    private readonly address: () => Promise<string>,
    private readonly channelOptions: RpcChannelOptions,
    private readonly peerTimeoutMs: number,
  ) {
    void this.beat();
  }

  /** Says that the job is over, if the server can be reached within timeoutMs, and ends the signs of life. */
  async end(error: MonolithError | null, timeoutMs: number): Promise<void> {
    this.closed = true;
    this.wake();
    try {
      this.channel ??= new RpcChannel(await this.address(), this.channelOptions);
      const request = endRequest.encode({ job: this.job, ...(error === null ? {} : { error: toWire(error) }) });
      await this.channel.unary(trainingJobPaths.end, request, { deadlineMs: timeoutMs });
    } catch {
      // A server that can't be reached finds out by itself that the chief is gone.
    } finally {
      this.channel?.close();
    }
  }

  private async beat(): Promise<void> {
    const pause = signOfLifeMs(this.peerTimeoutMs);
    const request = aliveRequest.encode({ job: this.job });
    while (!this.closed) {
      try {
        this.channel ??= new RpcChannel(await this.address(), this.channelOptions);
        await this.channel.unary(trainingJobPaths.alive, request, { deadlineMs: Math.max(200, pause * 2) });
        this.trouble = null;
      } catch (error) {
        this.trouble = MonolithError.from(error);
        // It may be elsewhere by now; that it is gone is noticed by those who need it.
        if (!this.closed) this.channel?.close();
        this.channel = null;
      }
      if (this.closed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
