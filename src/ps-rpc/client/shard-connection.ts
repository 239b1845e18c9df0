import { MonolithError, monotonicMs } from '../../base/index.js';
import { RpcChannel, type RpcChannelOptions, type UnaryReply } from '../../grpc/index.js';
import { healthCheckRequestCodec } from '../../proto/index.js';
import { PS_SERVICE, PsHeader } from '../service/protocol.js';

/** How a client bears with a slow, lost or restarted shard. */
export type RetrySettings = {
  /** Longest time of one attempt: after it the answer counts as lost and the request is sent again. */
  readonly attemptTimeoutMs: number;
  /** How long a shard may be unreachable before calls fail. */
  readonly reconnectMs: number;
};

/** Longest pause between two attempts. */
const MOST_BACKOFF_MS = 500;

type Method = 'Lookup' | 'ApplyGradients' | 'Barrier' | 'HealthCheck' | 'GetStats';
type Session = { readonly id: string; next: number; readonly pending: Set<number> };

/** One shard: its channel, repetition of what may be repeated, and the session that makes repeated applies harmless. */
export class ShardConnection {
  readonly channel: RpcChannel;
  #session: Promise<Session | null> | null = null;

  constructor(
    readonly shard: number,
    address: string,
    options: RpcChannelOptions,
    private readonly retry: RetrySettings,
  ) {
    this.channel = new RpcChannel(address, options);
  }

  get address(): string {
    return this.channel.address;
  }

  /**
   * Sends a request that may be made several times, until it is answered or `timeoutMs` are over.
   * @param encode the request, given the milliseconds that are left for it.
   * @param headers metadata of the next attempt.
   * @param oneAttemptMs longest time of one attempt.
   */
  async repeat(
    method: Method,
    encode: (leftMs: number) => Uint8Array,
    timeoutMs: number,
    headers: () => Readonly<Record<string, string>> = noHeaders,
    oneAttemptMs = this.retry.attemptTimeoutMs,
  ): Promise<UnaryReply> {
    const deadline = monotonicMs() + timeoutMs;
    let lostSince: number | null = null;
    for (let attempt = 0; ; attempt++) {
      const leftMs = Math.max(1, Math.ceil(deadline - monotonicMs()));
      const deadlineMs = Math.min(leftMs, oneAttemptMs);
      try {
        return await this.channel.unary(`/${PS_SERVICE}/${method}`, encode(deadlineMs), { deadlineMs, headers: headers() });
      } catch (error) {
        const { code } = error as MonolithError;
        const now = monotonicMs();
        if (code === 'Unavailable') lostSince ??= now;
        else lostSince = null;
        const pause = Math.min(MOST_BACKOFF_MS, 10 * 2 ** attempt) * (0.5 + Math.random() / 2);
        const givenUp = lostSince !== null && now + pause - lostSince > this.retry.reconnectMs;
        if (!worthAnother(error) || givenUp || now + pause >= deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /**
   * Sends an apply that is made once, in the order in which this method is called, however often it has to be sent.
   * A server that knows no sessions gets it once; when its answer is lost, nobody knows whether it was made, and the error says so.
   */
  async applyOnce(encode: (leftMs: number) => Uint8Array, timeoutMs: number): Promise<UnaryReply> {
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const opening = this.#openSession(timeoutMs);
      const session = await opening;
      const leftMs = Math.max(1, deadline - monotonicMs());
      if (session === null) {
        return this.channel.unary(`/${PS_SERVICE}/ApplyGradients`, encode(leftMs), { deadlineMs: leftMs });
      }
      const sequence = session.next++;
      session.pending.add(sequence);
      let attempts = 0;
      const headers = (): Record<string, string> => {
        attempts++;
        const [base = sequence] = session.pending;
        return { [PsHeader.session]: session.id, [PsHeader.sequence]: String(sequence), [PsHeader.base]: String(base) };
      };
      try {
        return await this.repeat('ApplyGradients', encode, leftMs, headers);
      } catch (error) {
        if (!(error instanceof MonolithError) || error.details.reason !== 'UnknownSession') throw error;
        if (this.#session === opening) this.#session = null;
        if (attempts > 1) {
          const message = `${this.address}: the shard was started again while an apply was under way; whether it was made is not known`;
          throw new MonolithError('Unavailable', message, { peer: this.address, reason: 'OutcomeUnknown' }, { cause: error });
        }
      } finally {
        session.pending.delete(sequence);
      }
    }
  }

  /** The session, begun with the first apply; null: this server has none. */
  #openSession(timeoutMs: number): Promise<Session | null> {
    if (this.#session !== null) return this.#session;
    const request = healthCheckRequestCodec.encode({ component: 'ps' });
    const opening = this.repeat(
      'HealthCheck',
      () => request,
      timeoutMs,
      () => ({ [PsHeader.session]: 'new' }),
    ).then((reply) => {
      const id = reply.header(PsHeader.session);
      return id === undefined ? null : { id, next: 0, pending: new Set<number>() };
    });
    this.#session = opening;
    opening.catch(() => {
      if (this.#session === opening) this.#session = null;
    });
    return opening;
  }

  close(): void {
    this.channel.close();
  }
}

const noHeaders = (): Readonly<Record<string, string>> => ({});

function worthAnother(error: unknown): boolean {
  if (!(error instanceof MonolithError)) return false;
  if (error.code === 'ResourceExhausted') return error.details.reason === 'HeldBack';
  return error.code === 'Unavailable' || error.code === 'DeadlineExceeded';
}
