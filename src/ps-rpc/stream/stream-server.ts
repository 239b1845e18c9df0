import { MonolithError } from '../../base/index.js';
import type { MessageDuplex } from './duplex.js';
import { FrameKind, type FrameReader, FrameWriter } from './frame.js';
import { decodeHello, encodeFailure, type Hello, PROTOCOL_VERSION } from './messages.js';
import { OrderedReceiver } from './ordered-receiver.js';
import type { ShardJob } from './shard-job.js';
import type { WorkerLine } from './worker-line.js';

/** Bytes of one stream that wait while a snapshot is made: more than all regions of a worker hold is no worker's. */
const MOST_KEPT_BYTES = 256 << 20;

/** Pongs that nobody asked for, while frames wait. */
const SIGN_OF_LIFE_MS = 250;

/**
 * The shard's end of all workers' streams, whatever carries them. Knows at most one job; a worker of another job, or one that comes before
 * the chief, is told so and comes again.
 */
export class ShardStreamServer {
  private job: ShardJob | null = null;
  /** While something else must not be disturbed: what to do afterwards. */
  private waiting: (() => void)[] | null = null;

  constructor(readonly shard: number) {}

  get current(): ShardJob | null {
    return this.job;
  }

  /** Puts another job in place of the present one, whose streams end. */
  setJob(job: ShardJob | null): void {
    this.job?.close();
    this.job = job;
  }

  /** Takes no frame until `work` has ended; workers get a sign of life meanwhile. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting !== null)
      throw new MonolithError('FailedPrecondition', `shard ${this.shard} is busy with another call; repeat this one`);
    const waiting: (() => void)[] = [];
    this.waiting = waiting;
    const timer = setInterval(() => this.job?.signOfLife(), SIGN_OF_LIFE_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.waiting = null;
      for (const go of waiting) go();
    }
  }

  /** A new stream; its first frame says whose it is. */
  accept(duplex: MessageDuplex): void {
    let line: WorkerLine | null = null;
    let job: ShardJob | null = null;
    const receiver = new OrderedReceiver((frame: FrameReader) => {
      if (line !== null && job !== null) {
        // Another stream of this worker, or another job, has taken the place of this one.
        if (line.duplex !== duplex || job !== this.job) return duplex.close();
        job.frame(line, frame);
        return;
      }
      if (frame.kind !== FrameKind.hello || frame.hello === null) {
        throw new MonolithError('RecordCorrupt', `stream to shard ${this.shard}: begins with kind ${frame.kind}, expected hello`);
      }
      const hello = decodeHello(frame.hello);
      job = this.jobOf(hello);
      line = job.hello(hello, duplex);
    });
    const receive = (message: Uint8Array): void => {
      try {
        receiver.receive(message);
      } catch (error) {
        this.refuse(duplex, job, line, MonolithError.from(error));
      }
    };
    let ended = false;
    let keptBytes = 0;
    duplex.onMessage = (message) => {
      if (this.waiting === null) receive(message);
      else if (keptBytes + message.length > MOST_KEPT_BYTES) {
        const text = `shard ${this.shard} is busy, and a stream sent more than ${MOST_KEPT_BYTES} bytes meanwhile`;
        this.refuse(duplex, job, line, new MonolithError('ResourceExhausted', text));
      } else {
        const kept = Uint8Array.from(message);
        keptBytes += kept.length;
        this.waiting.push(() => {
          keptBytes -= kept.length;
          if (!ended) receive(kept);
        });
      }
    };
    duplex.onEnd = () => {
      ended = true;
      if (line !== null && line.duplex === duplex) line.detach();
    };
  }

  private jobOf(hello: Hello): ShardJob {
    if (hello.protocol !== PROTOCOL_VERSION) {
      throw new MonolithError(
        'InvalidConfig',
        `worker ${hello.worker} speaks version ${hello.protocol} of the stream, shard ${this.shard} version ${PROTOCOL_VERSION}; run the same release everywhere`,
      );
    }
    const { job } = this;
    if (job === null || job.id !== hello.job) {
      const begun = hello.firstSequence > 1 || hello.appliedSequence > 0;
      throw new UnknownJob(this.shard, hello.job, job?.id ?? null, !begun);
    }
    if (job.failure !== null) throw job.failure;
    return job;
  }

  private refuse(duplex: MessageDuplex, job: ShardJob | null, line: WorkerLine | null, error: MonolithError): void {
    if (line !== null && job !== null && !isOfStream(error)) {
      // Not a matter of this stream: rows, memory or disk. No worker can go on.
      job.fail(error);
      return;
    }
    const writer = line !== null && line.duplex === duplex && line.writer !== null ? line.writer : new FrameWriter((m) => duplex.send(m));
    writer.begin(FrameKind.failure, 0, 0, 0, 256);
    writer.field(
      'failure',
      encodeFailure({ error, retry: error instanceof UnknownJob ? error.retry : isOfStream(error) && line !== null }),
    );
    writer.end();
    duplex.close();
    if (line !== null && line.duplex === duplex) line.detach();
  }
}

/** Errors of what came over one stream: a new stream begins with a clean slate. */
function isOfStream(error: MonolithError): boolean {
  return error.code === 'RecordCorrupt' || error.code === 'ResourceExhausted';
}

/** The shard does not have the job that is spoken of. */
export class UnknownJob extends MonolithError {
  constructor(
    shard: number,
    asked: string,
    present: string | null,
    /** The chief may still give it. */
    readonly retry: boolean,
  ) {
    super(
      'FailedPrecondition',
      `shard ${shard} does not have job ${asked}: ${present === null ? 'it has none' : `it has job ${present}`}${retry ? '; the chief has not configured it yet' : '. The process was restarted without its state, or another chief has taken it; resume from the last checkpoint'}`,
      { shard, job: asked, present },
    );
  }
}
