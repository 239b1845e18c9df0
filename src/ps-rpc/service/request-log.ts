import { randomBytes } from 'node:crypto';
import { MonolithError, monotonicMs } from '../../base/index.js';

/** A client that was silent this long may be forgotten when another one wants its place. */
const IDLE_MS = 60_000;
/** Longest time that an apply is held back when its caller set no deadline. */
const HOLD_MS = 30_000;
/** Bytes of applies held back, all clients together. */
const HELD_BYTES = 256 << 20;

/** Where an apply stands in its client's order. */
export type Sequenced = {
  readonly session: string;
  /** 0, 1, 2 … in the order in which the client's applies are to be made. */
  readonly sequence: number;
  /** The client waits for no answer below this one: what of it has not come, will not. */
  readonly base: number;
};

type Waiter = { readonly resolve: (answer: Uint8Array) => void; readonly reject: (error: MonolithError) => void; timer: NodeJS.Timeout };
type Held = { readonly run: () => Uint8Array; readonly bytes: number; readonly waiters: Waiter[] };
type Session = {
  next: number;
  /** Answers of the last applies; null: given up by the client, never made. */
  readonly log: Map<number, Uint8Array | null>;
  readonly held: Map<number, Held>;
  usedAt: number;
};

/**
 * Makes applies happen exactly once and in their client's order, however often and in whatever order they arrive. Per client it keeps the answers
 * of the last `window` applies; a repetition is answered from there, an older one refused, an early one held back until those before it have come.
 * Everything is bounded: clients, answers, applies held back and their bytes.
 */
export class RequestLog {
  readonly #sessions = new Map<string, Session>();
  /** New with each process: what an earlier one has logged is not known here, and must not be taken for new. */
  readonly #epoch = randomBytes(8).toString('hex');
  #opened = 0;
  #heldBytes = 0;

  constructor(
    private readonly maxSessions: number,
    private readonly window: number,
  ) {}

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Applies that wait for those before them. */
  get held(): number {
    let count = 0;
    for (const { held } of this.#sessions.values()) count += held.size;
    return count;
  }

  /** Begins a client's sequence at 0. Throws ResourceExhausted when there are too many and none is idle. */
  open(): string {
    if (this.#sessions.size >= this.maxSessions) {
      const [oldest] = this.#sessions;
      if (monotonicMs() - oldest[1].usedAt < IDLE_MS) {
        throw new MonolithError(
          'ResourceExhausted',
          `this shard remembers the applies of ${this.maxSessions} clients, and all are active`,
          {
            limit: this.maxSessions,
          },
        );
      }
      this.#drop(oldest[1], 'the client was forgotten');
      this.#sessions.delete(oldest[0]);
    }
    const id = `${this.#epoch}-${this.#opened++}`;
    this.#sessions.set(id, { next: 0, log: new Map(), held: new Map(), usedAt: monotonicMs() });
    return id;
  }

  /**
   * Runs an apply when its turn comes, or answers it from the log.
   * @param run        makes the apply and returns its encoded answer; called at most once in the life of a sequence number.
   * @param bytes      its size, while it is held back.
   * @param deadlineMs monotonicMs() until which it may be held back; then it is dropped, not made: DeadlineExceeded.
   * Throws FailedPrecondition for an unknown session, an apply older than the window and one that its client gave up; ResourceExhausted when too
   * many are held back.
   */
  submit(
    { session: id, sequence, base }: Sequenced,
    run: () => Uint8Array,
    bytes: number,
    deadlineMs: number,
  ): Uint8Array | Promise<Uint8Array> {
    const session = this.#sessions.get(id);
    if (session === undefined) {
      throw new MonolithError('FailedPrecondition', `session ${id} is not known here: the shard was started again or has forgotten it`, {
        reason: 'UnknownSession',
      });
    }
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    session.usedAt = monotonicMs();
    if (base > session.next) this.#abandon(session, Math.min(base, sequence));
    if (sequence < session.next) return this.#again(session, sequence);
    if (sequence === session.next) {
      const early = session.held.get(sequence);
      const answer = this.#run(session, run);
      if (early !== undefined) this.#settle(session, sequence, early, (waiter) => waiter.resolve(answer));
      this.#drain(session);
      return answer;
    }
    return this.#hold(session, sequence, run, bytes, deadlineMs);
  }

  /** Refuses everything that is held back. */
  close(): void {
    for (const session of this.#sessions.values()) this.#drop(session, 'the shard closes');
  }

  #again(session: Session, sequence: number): Uint8Array {
    const answer = session.log.get(sequence);
    if (answer instanceof Uint8Array) return answer;
    const why =
      answer === null
        ? 'was given up by its client before it came'
        : `is older than the last ${this.window} applies of its client, whose answers are kept`;
    throw new MonolithError('FailedPrecondition', `apply ${sequence} ${why}; it was not made now`, { reason: 'TooOld', sequence });
  }

  #run(session: Session, run: () => Uint8Array): Uint8Array {
    const answer = run();
    this.#note(session, answer);
    return answer;
  }

  #note(session: Session, answer: Uint8Array | null): void {
    session.log.set(session.next++, answer);
    session.log.delete(session.next - 1 - this.window);
  }

  #drain(session: Session): void {
    for (let held = session.held.get(session.next); held !== undefined; held = session.held.get(session.next)) {
      const sequence = session.next;
      try {
        const answer = this.#run(session, held.run);
        this.#settle(session, sequence, held, (waiter) => waiter.resolve(answer));
      } catch (error) {
        // Not made (its deadline passed, or a defect): its place stays open for the client's next attempt.
        this.#settle(session, sequence, held, (waiter) => waiter.reject(MonolithError.from(error)));
      }
    }
  }

  #hold(session: Session, sequence: number, run: () => Uint8Array, bytes: number, deadlineMs: number): Promise<Uint8Array> {
    let held = session.held.get(sequence);
    if (held === undefined) {
      if (sequence - session.next >= this.window || this.#heldBytes + bytes > HELD_BYTES) {
        const why = `apply ${sequence} came before apply ${session.next}, and no more can be held back (${this.window} applies a client, ${HELD_BYTES} bytes)`;
        throw new MonolithError('ResourceExhausted', why, { sequence, next: session.next, reason: 'HeldBack' });
      }
      held = { run, bytes, waiters: [] };
      session.held.set(sequence, held);
      this.#heldBytes += bytes;
    }
    const { waiters } = held;
    const kept = held;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        waiters.splice(waiters.indexOf(waiter), 1);
        if (waiters.length === 0) this.#settle(session, sequence, kept, () => {});
        reject(
          new MonolithError('DeadlineExceeded', `apply ${sequence} waited for apply ${session.next}, which did not come; it was not made`),
        );
      };
      const left = Math.min(HOLD_MS, Math.max(0, deadlineMs - monotonicMs()));
      const waiter: Waiter = { resolve, reject, timer: setTimeout(giveUp, left) };
      waiters.push(waiter);
    });
  }

  #settle(session: Session, sequence: number, held: Held, tell: (waiter: Waiter) => void): void {
    if (session.held.get(sequence) === held) {
      session.held.delete(sequence);
      this.#heldBytes -= held.bytes;
    }
    for (const waiter of held.waiters.splice(0)) {
      clearTimeout(waiter.timer);
      tell(waiter);
    }
  }

  /** The client waits for nothing below `base` any more: what has not been made yet will not be. */
  #abandon(session: Session, base: number): void {
    const skipTo = Math.max(session.next, base - this.window);
    if (skipTo > session.next) {
      session.log.clear();
      session.next = skipTo;
    }
    for (const [sequence, held] of [...session.held])
      if (sequence < base) this.#refuse(session, sequence, held, 'its client has given it up');
    while (session.next < base) this.#note(session, null);
    this.#drain(session);
  }

  #drop(session: Session, why: string): void {
    for (const [sequence, held] of [...session.held]) this.#refuse(session, sequence, held, why);
  }

  #refuse(session: Session, sequence: number, held: Held, why: string): void {
    this.#settle(session, sequence, held, (waiter) =>
      waiter.reject(new MonolithError('Unavailable', `apply ${sequence} was held back and not made: ${why}`, { sequence })),
    );
  }
}
