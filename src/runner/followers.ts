import { MonolithError, monotonicMs } from '../base/index.js';
import { type Answer, type ChiefMessage, type Command, chiefMessage, type FollowerMessage, followerMessage } from '../proto/index.js';
import type { MessageDuplex } from '../ps-rpc/index.js';
import { Outbox } from './outbox.js';
import { fromWire, toWire } from './wire-error.js';

/** Version of what chief and workers say to each other. */
export const JOB_PROTOCOL = 1;

/** Signs of life in a peer timeout; the longest pause between two. */
const SIGNS_OF_LIFE = 5;
const LONGEST_PAUSE_MS = 2000;

/** How often a side says that it is alive. */
export function signOfLifeMs(peerTimeoutMs: number): number {
  return Math.max(10, Math.min(LONGEST_PAUSE_MS, peerTimeoutMs / SIGNS_OF_LIFE));
}

export type FollowersOptions = {
  readonly job: string;
  /** Workers of the job, the chief among them. */
  readonly workers: number;
  /** How long a worker that was here may be away. */
  readonly peerTimeoutMs: number;
  /** Why a worker with this configuration can't take part; null if it can. */
  readonly refuse: (worker: number, config: string) => MonolithError | null;
  readonly onAnswer: (worker: number, command: Command, answer: Answer) => void;
  /** A worker failed, or can't be reached any more. */
  readonly onFailure: (error: MonolithError, badBatch: string | null) => void;
};

/** What the chief knows of one other worker. */
type Follower = {
  readonly worker: number;
  session: string | null;
  duplex: MessageDuplex | null;
  peer: string;
  readonly commands: Outbox<Command>;
  /** Commands without an answer, in order: acknowledged or not. */
  readonly open: Command[];
  /** Highest sequence of an answer received. */
  answered: number;
  lastHeard: number;
  arrived: boolean;
};

/**
 * The chief's side of its other workers: sends commands, takes answers in order, knows who is there. A worker whose stream breaks may come
 * back within the peer timeout and misses nothing.
 */
export class Followers {
  private readonly followers: readonly Follower[];
  private readonly timer: NodeJS.Timeout;
  private sequence = 0;
  private ended: NonNullable<ChiefMessage['end']> | null = null;
  private failed = false;
  private arrivals: (() => void)[] = [];

  constructor(private readonly options: FollowersOptions) {
    this.followers = Array.from({ length: options.workers - 1 }, (_, i) => ({
      worker: i + 1,
      session: null,
      duplex: null,
      peer: '',
      commands: new Outbox<Command>(),
      open: [],
      answered: 0,
      lastHeard: 0,
      arrived: false,
    }));
    this.timer = setInterval(() => this.look(), signOfLifeMs(options.peerTimeoutMs));
  }

  /** A worker's new stream; its first message says whose it is. */
  accept(duplex: MessageDuplex): void {
    let follower: Follower | null = null;
    duplex.onMessage = (bytes) => {
      try {
        const message = followerMessage.decode(bytes);
        if (message.hello !== undefined) follower = this.welcome(message.hello, message.acknowledged ?? 0, duplex);
        else if (follower === null) throw new MonolithError('InvalidArgument', 'a stream to the chief must begin with Hello');
        else if (follower.duplex === duplex) this.receive(follower, message);
      } catch (error) {
        this.say(duplex, 0, { end: { error: toWire(MonolithError.from(error)) } });
        duplex.close();
      }
    };
    duplex.onEnd = () => {
      if (follower?.duplex === duplex) follower.duplex = null;
    };
  }

  /** Sends one command to every other worker. @returns its sequence. */
  send(command: Omit<Command, 'sequence'>): number {
    const numbered = { sequence: ++this.sequence, ...command };
    for (const follower of this.followers) {
      follower.commands.add(numbered);
      follower.open.push(numbered);
      if (follower.duplex !== null) this.say(follower.duplex, follower.answered, { command: numbered });
    }
    return numbered.sequence;
  }

  /** Waits until every worker has been here. @throws BarrierTimeout naming those who have not come within timeoutMs. */
  async whenAllHere(timeoutMs: number): Promise<void> {
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const missing = this.followers.filter(({ arrived }) => !arrived).map(({ worker }) => worker);
      if (missing.length === 0 || this.failed) return;
      const left = deadline - monotonicMs();
      if (left <= 0) throw this.barrierTimeout(missing, timeoutMs);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.arrivals.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /**
   * Tells all workers that the job is over and waits until they know, for at most timeoutMs.
   * @param error what ended it; null when it is done.
   */
  async end(error: MonolithError | null, timeoutMs: number): Promise<void> {
    clearInterval(this.timer);
    this.ended = error === null ? {} : { error: toWire(error) };
    for (const { duplex, answered } of this.followers) if (duplex !== null) this.say(duplex, answered, { end: this.ended });
    const deadline = monotonicMs() + timeoutMs;
    // A worker that knows closes its stream.
    while (this.followers.some(({ duplex }) => duplex !== null) && monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    for (const { duplex } of this.followers) duplex?.close();
  }

  private welcome(hello: NonNullable<FollowerMessage['hello']>, acknowledged: number, duplex: MessageDuplex): Follower {
    const { job, workers, refuse } = this.options;
    const worker = hello.worker ?? 0;
    const follower = this.followers[worker - 1];
    if (follower === undefined) {
      throw new MonolithError(
        'InvalidConfig',
        `worker ${worker}: this job has ${workers} workers, with indices 0 (the chief) to ${workers - 1}`,
        {
          worker,
          workers,
        },
      );
    }
    if (hello.protocol !== JOB_PROTOCOL) {
      throw new MonolithError(
        'InvalidConfig',
        `worker ${worker} speaks version ${hello.protocol ?? 0} of the protocol (program ${hello.version}), the chief version ${JOB_PROTOCOL}: run the same program everywhere`,
      );
    }
    const refusal = refuse(worker, hello.config ?? '');
    if (refusal !== null) throw refusal;
    if (follower.session !== null && follower.session !== hello.session) {
      throw new MonolithError(
        'FailedPrecondition',
        `worker ${worker} is already here (${follower.peer}): one process a worker, and a worker that was restarted needs the job restarted`,
        { worker },
      );
    }
    follower.duplex?.close();
    follower.session = hello.session;
    follower.duplex = duplex;
    follower.peer = duplex.peer;
    follower.lastHeard = monotonicMs();
    follower.arrived = true;
    follower.commands.acknowledge(acknowledged);
    this.say(duplex, follower.answered, { welcome: { job } });
    for (const command of follower.commands.unacknowledged) this.say(duplex, follower.answered, { command });
    if (this.ended !== null) this.say(duplex, follower.answered, { end: this.ended });
    for (const arrival of this.arrivals.splice(0)) arrival();
    return follower;
  }

  private receive(follower: Follower, message: FollowerMessage): void {
    follower.lastHeard = monotonicMs();
    follower.commands.acknowledge(message.acknowledged ?? 0);
    if (message.failure !== undefined) {
      const { error, badBatch } = message.failure;
      const cause = fromWire(error ?? { code: 'Internal', message: `worker ${follower.worker} failed`, details: '{}' });
      this.fail(cause.code === 'Cancelled' ? toldToStop(follower) : cause, badBatch ?? null);
      return;
    }
    const { answer } = message;
    // Sent again because the worker did not know that it had arrived.
    if (answer === undefined || answer.sequence <= follower.answered) return;
    const command = follower.open[0];
    if (command?.sequence !== answer.sequence) {
      throw new MonolithError(
        'Internal',
        `worker ${follower.worker} answered command ${answer.sequence}, the next one is ${command?.sequence ?? 'none'}`,
      );
    }
    follower.open.shift();
    follower.answered = answer.sequence;
    follower.commands.acknowledge(answer.sequence);
    this.options.onAnswer(follower.worker, command, answer);
  }

  /** Says that the chief is alive, and finds workers that are gone. */
  private look(): void {
    const now = monotonicMs();
    for (const follower of this.followers) {
      if (!follower.arrived) continue;
      if (follower.duplex !== null) this.say(follower.duplex, follower.answered, { alive: {} });
      const silentMs = now - follower.lastHeard;
      if (silentMs < this.options.peerTimeoutMs) continue;
      this.fail(
        new MonolithError(
          'Unavailable',
          `worker ${follower.worker} (${follower.peer}) has not been heard of for ${Math.round(silentMs)} ms (peer timeout ${this.options.peerTimeoutMs} ms): its process or the way to it is gone. Start the job again to go on from the last checkpoint`,
          { worker: follower.worker, peer: follower.peer, peerTimeoutMs: this.options.peerTimeoutMs },
        ),
        null,
      );
    }
  }

  private barrierTimeout(missing: readonly number[], timeoutMs: number): MonolithError {
    const { workers } = this.options;
    const names = missing.map((worker) => `worker ${worker}`).join(', ');
    return new MonolithError(
      'BarrierTimeout',
      `Barrier timeout at the start after ${timeoutMs} ms: ${workers - missing.length} of ${workers} workers arrived; ${names}: did not come to the chief; start it, and see that it can reach the address of the chief`,
      { workers: missing, timeoutMs },
    );
  }

  private fail(error: MonolithError, badBatch: string | null): void {
    if (this.failed || this.ended !== null) return;
    this.failed = true;
    for (const arrival of this.arrivals.splice(0)) arrival();
    this.options.onFailure(error, badBatch);
  }

  private say(duplex: MessageDuplex, acknowledged: number, body: Omit<ChiefMessage, 'acknowledged'>): void {
    duplex.send(chiefMessage.encode({ acknowledged, ...body }));
  }
}

/** A worker got a signal: the others would take its words for their own. */
function toldToStop({ worker, peer }: Follower): MonolithError {
  return new MonolithError(
    'Cancelled',
    `worker ${worker} (${peer}) was told to stop, which ends the job. Start the job again to go on from the last checkpoint; to stop it with a checkpoint, stop the chief`,
    { worker, peer },
  );
}

/** How often the end of a job looks whether everybody has gone. */
const LOOK_MS = 10;
