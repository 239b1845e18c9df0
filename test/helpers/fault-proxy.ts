import { RpcChannel, RpcServer } from '../../src/grpc/index.js';
import { PS_SERVICE, PsHeader } from '../../src/ps-rpc/index.js';

/** One request on its way through the proxy. */
export type ProxiedCall = { readonly method: string; readonly number: number; readonly sequence: number | null };

/** What happens to a request; nothing named: it is passed on at once and its answer comes back. */
export type Fault = {
  /** Milliseconds until it is passed on. */
  readonly delayMs?: number;
  /** Further deliveries of the same request, each after so many milliseconds; their answers are thrown away. */
  readonly copiesAfterMs?: readonly number[];
  /** One more delivery, after so many further requests. */
  readonly lateByRequests?: number;
  /** Passed on, but the answer never comes back. */
  readonly dropAnswer?: boolean;
  /** Never passed on, never answered. */
  readonly swallow?: boolean;
};

const methods = ['Lookup', 'ApplyGradients', 'Barrier', 'HealthCheck', 'GetStats'];

/** A server in front of a shard that duplicates, delays, reorders and loses requests and answers as told. */
export class FaultProxy {
  readonly #late: { readonly due: number; readonly send: () => Promise<unknown> }[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #requests = 0;
  /** Sends the n-th ApplyGradients (0 …) that came through once more. */
  readonly replayApply: ((() => Promise<unknown>) | undefined)[] = [];

  static async start(target: string, fault: (call: ProxiedCall) => Fault): Promise<FaultProxy> {
    const channel = new RpcChannel(target);
    const proxy: { current: FaultProxy | null } = { current: null };
    const unary = Object.fromEntries(
      methods.map((method) => [
        method,
        async (
          request: Buffer,
          call: { header(name: string): string | undefined; setHeader(name: string, value: string): void; signal: AbortSignal },
        ) => {
          const own = proxy.current;
          if (own === null) throw new Error('not started');
          const headers: Record<string, string> = {};
          for (const name of Object.values(PsHeader)) {
            const value = call.header(name);
            if (value !== undefined) headers[name] = value;
          }
          const bytes = Buffer.from(request);
          const send = () => channel.unary(`/${PS_SERVICE}/${method}`, bytes, { deadlineMs: 20_000, headers });
          const sequence = headers[PsHeader.sequence];
          const {
            delayMs = 0,
            copiesAfterMs = [],
            lateByRequests,
            dropAnswer,
            swallow,
          } = fault({
            method,
            number: own.#requests,
            sequence: sequence === undefined ? null : Number(sequence),
          });
          own.#count();
          if (method === 'ApplyGradients') own.replayApply.push(send);
          const gone = () =>
            new Promise<never>((_, reject) => call.signal.addEventListener('abort', () => reject(new Error('the caller is gone'))));
          if (swallow === true) return gone();
          for (const ms of copiesAfterMs) own.#background(pause(ms).then(send));
          if (lateByRequests !== undefined) own.#late.push({ due: own.#requests + lateByRequests, send });
          if (delayMs > 0) await pause(delayMs);
          const reply = await send();
          if (dropAnswer === true) return gone();
          for (const name of [PsHeader.session, PsHeader.code]) {
            const value = reply.header(name);
            if (value !== undefined) call.setHeader(name, value);
          }
          return reply.message;
        },
      ]),
    );
    const server = await RpcServer.start({ services: [{ name: PS_SERVICE, unary }] });
    proxy.current = new FaultProxy(server, channel);
    return proxy.current;
  }

  private constructor(
    private readonly server: RpcServer,
    private readonly channel: RpcChannel,
  ) {}

  get address(): string {
    return this.server.address;
  }

  /** Requests that have come. */
  get requests(): number {
    return this.#requests;
  }

  /** Delivers what is still late and waits for everything under way. */
  async settle(): Promise<void> {
    for (const { send } of this.#late.splice(0)) this.#background(send());
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async close(): Promise<void> {
    await this.server.close(0);
    this.channel.close();
  }

  #count(): void {
    this.#requests++;
    for (let i = this.#late.length - 1; i >= 0; i--) {
      if (this.#late[i].due <= this.#requests) this.#background(this.#late.splice(i, 1)[0].send());
    }
  }

  #background(sending: Promise<unknown>): void {
    const done: Promise<unknown> = sending.catch(() => {}).finally(() => this.#running.delete(done));
    this.#running.add(done);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
