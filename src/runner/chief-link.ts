import { randomUUID } from 'node:crypto';
import { MonolithError, monotonicMs } from '../base/index.js';
import { type Answer, type ChiefMessage, type Command, chiefMessage, type FollowerMessage, followerMessage } from '../proto/index.js';
import type { MessageDuplex } from '../ps-rpc/index.js';
import { JOB_PROTOCOL, signOfLifeMs } from './followers.js';
import { Outbox } from './outbox.js';
import { fromWire, toWire } from './wire-error.js';

export type ChiefLinkOptions = {
  readonly worker: number;
  /** What must be equal in all processes, as JSON. */
  readonly config: string;
  readonly version: string;
  /** A stream to the chief where it is now. */
  readonly connect: () => Promise<MessageDuplex>;
  /** How long the chief may be away, once it was there. */
  readonly peerTimeoutMs: number;
  /** How long to wait for the chief at the start. */
  readonly barrierTimeoutMs: number;
  readonly onWelcome: (job: string) => void;
  /** Called in order, once each. */
  readonly onCommand: (command: Command) => void;
  /** For the log: a stream was lost, or is there again. */
  readonly onEvent?: (line: string) => void;
};

/** Waits between two attempts to reach the chief. */
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;

/** A stream that has been silent for this part of the time limit is given up for another. */
const SILENCE_PARTS = 3;

/** A worker's end of the line to the chief: commands come once and in order, answers arrive, whatever happens to single streams. */
export class ChiefLink {
  /** Fulfilled when the chief says that the job is done; rejects with what ended it, or with Unavailable naming the chief. */
  readonly ended: Promise<void>;
  private readonly session = randomUUID();
  private readonly answers = new Outbox<Answer>();
  private received = 0;
  private duplex: MessageDuplex | null = null;
  private peer = 'the chief';
  private welcomed = false;
  private closed = false;
  private lastHeard = monotonicMs();
  private lastProblem = 'no answer';
  private readonly timer: NodeJS.Timeout;
  /** The end of the wait for the chief, which may be nearer than the next look. */
  private readonly barrier: NodeJS.Timeout;
  private connectedAt = 0;
  private wake: () => void = () => {};
  private endStream: (problem: string) => void = () => {};
  private resolve: () => void = () => {};
  private reject: (error: MonolithError) => void = () => {};

  constructor(private readonly options: ChiefLinkOptions) {
    this.ended = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ended.catch(() => {});
    this.timer = setInterval(() => this.look(), signOfLifeMs(options.peerTimeoutMs));
    this.barrier = setTimeout(() => this.look(), options.barrierTimeoutMs);
    void this.stayConnected();
  }

  answer(answer: Answer): void {
    this.answers.add(answer);
    this.say({ answer });
  }

  /** Tells the chief why this worker ends. Arrives if the chief can be reached now. */
  fail(error: MonolithError, badBatch: string | null): void {
    this.say({ failure: { error: toWire(error), ...(badBatch === null ? {} : { badBatch }) } });
  }

  /** Twice is fine. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.barrier);
    this.duplex?.close();
    this.endStream('closed');
    this.wake();
  }

  private async stayConnected(): Promise<void> {
    let pause = FIRST_RETRY_MS;
    while (!this.closed) {
      try {
        const duplex = await this.options.connect();
        if (this.closed) return duplex.close();
        const heard = this.lastHeard;
        await this.converse(duplex);
        if (this.lastHeard > heard) pause = FIRST_RETRY_MS;
      } catch (error) {
        this.lastProblem = MonolithError.from(error).message;
      }
      if (this.closed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      pause = Math.min(LONGEST_RETRY_MS, pause * 2);
    }
  }

  /** Speaks over one stream until it ends. */
  private converse(duplex: MessageDuplex): Promise<void> {
    return new Promise((resolve) => {
      const end = (problem: string): void => {
        this.lastProblem = problem;
        if (this.duplex === duplex) this.duplex = null;
        if (!this.closed && this.welcomed) this.options.onEvent?.(`lost the chief at ${duplex.peer}: ${problem}`);
        resolve();
      };
      duplex.onMessage = (bytes) => {
        try {
          this.receive(chiefMessage.decode(bytes), duplex);
        } catch (error) {
          this.finish(MonolithError.from(error));
        }
      };
      duplex.onEnd = (reason) => end(reason?.message ?? 'it closed the stream');
      this.endStream = end;
      this.duplex = duplex;
      this.connectedAt = monotonicMs();
      this.peer = `the chief at ${duplex.peer}`;
      const { worker, config, version } = this.options;
      this.say({ hello: { protocol: JOB_PROTOCOL, worker, session: this.session, config, version } });
    });
  }

  private receive(message: ChiefMessage, duplex: MessageDuplex): void {
    if (this.duplex !== duplex) return;
    this.lastHeard = monotonicMs();
    this.answers.acknowledge(message.acknowledged ?? 0);
    if (message.welcome !== undefined) {
      if (this.welcomed) this.options.onEvent?.(`reached ${this.peer} again`);
      const first = !this.welcomed;
      this.welcomed = true;
      for (const answer of this.answers.unacknowledged) this.say({ answer });
      if (first) this.options.onWelcome(message.welcome.job);
    } else if (message.command !== undefined) {
      // Sent again because the chief did not know that it had arrived.
      if (message.command.sequence <= this.received) return;
      this.received = message.command.sequence;
      this.options.onCommand(message.command);
    } else if (message.end !== undefined) {
      const { error } = message.end;
      this.finish(error === undefined ? null : this.endedBy(fromWire(error)));
    }
  }

  private endedBy(cause: MonolithError): MonolithError {
    // A refusal is this worker's own error; what ended the job elsewhere needs its place said.
    if (!this.welcomed) return cause;
    return new MonolithError(cause.code, `${this.peer} ended the job: ${cause.message}`, cause.details, { cause });
  }

  private look(): void {
    const { peerTimeoutMs, barrierTimeoutMs } = this.options;
    const silentMs = monotonicMs() - this.lastHeard;
    const limit = this.welcomed ? peerTimeoutMs : barrierTimeoutMs;
    // A timer may be early by a part of a millisecond.
    if (silentMs >= limit - 1) {
      this.finish(this.chiefMissing(Math.round(silentMs), limit));
      return;
    }
    // A stream may be dead without saying so: another one finds the way that is open now.
    if (this.duplex !== null && silentMs >= limit / SILENCE_PARTS && monotonicMs() - this.connectedAt >= limit / SILENCE_PARTS) {
      const { duplex } = this;
      duplex.close();
      this.endStream(`${duplex.peer} was silent for ${Math.round(silentMs)} ms`);
      return;
    }
    this.say({ alive: {} });
  }

  private chiefMissing(silentMs: number, timeoutMs: number): MonolithError {
    const { peer, lastProblem } = this;
    const details = { peer, timeoutMs };
    if (this.welcomed) {
      const text = `${peer} has not been heard of for ${silentMs} ms (${lastProblem}): its process or the way to it is gone; start the job again to go on from the last checkpoint`;
      return new MonolithError('Unavailable', text, details);
    }
    const text = `Barrier timeout at the start after ${timeoutMs} ms: ${peer} could not be reached (${lastProblem}): start it, or check the discovery settings`;
    return new MonolithError('BarrierTimeout', text, details);
  }

  private finish(error: MonolithError | null): void {
    if (error === null) this.resolve();
    else this.reject(error);
    this.close();
  }

  private say(body: Omit<FollowerMessage, 'acknowledged'>): void {
    this.duplex?.send(followerMessage.encode({ acknowledged: this.received, ...body }));
  }
}
