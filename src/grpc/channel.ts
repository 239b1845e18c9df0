import { Client, type ClientDuplexStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { MonolithError } from '../base/index.js';
import { splitAddress } from './address.js';
import { type ChannelSecurity, channelCredentials } from './channel-credentials.js';
import { CarriedDuplex } from './duplex-base.js';
import { asBuffer, type RpcDuplex } from './service.js';
import { fromServiceError } from './status.js';
import { Tokens } from './token.js';
import { FLOW_CONTROL_WINDOW, KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from './transport-options.js';

export type RpcChannelOptions = {
  readonly security?: ChannelSecurity;
  /** Bytes of one message, sent or received; −1 (default): no limit of this side. */
  readonly messageBytes?: number;
  /** Silence after which the peer is asked for a sign of life, and how long it may take to answer; defaults 5000 and 5000. */
  readonly keepAliveMs?: number;
  readonly keepAliveTimeoutMs?: number;
  /** For channels of large streams: messages are not kept for a repeat of the call, so that `write` can say when it no longer needs the bytes. */
  readonly keepNothing?: boolean;
};

export type CallOptions = {
  /** Milliseconds until the call fails with DeadlineExceeded, on both sides; 0: none. */
  readonly deadlineMs: number;
  /** Metadata to send; keys in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborting it cancels the call: Cancelled. */
  readonly signal?: AbortSignal;
};

export type UnaryReply = { readonly message: Buffer; header(name: string): string | undefined };

const same = (bytes: Buffer): Buffer => bytes;

/** One connection to one server, made on first use and made again (at most a second between attempts) when it is lost. */
export class RpcChannel {
  /** host:port */
  readonly address: string;
  readonly #client: Client;
  readonly #tokens: Tokens | null;
  readonly #keepNothing: boolean;
  #closed = false;

  /** Does no I/O. Throws InvalidConfig for an address or security settings that can't be used. */
  constructor(address: string, options: RpcChannelOptions = {}) {
    const { security = {}, messageBytes = -1, keepAliveMs = KEEPALIVE_TIME_MS, keepAliveTimeoutMs = KEEPALIVE_TIMEOUT_MS } = options;
    const { keepNothing = false } = options;
    this.#keepNothing = keepNothing;
    splitAddress(address);
    this.address = address;
    this.#tokens = Tokens.from(security);
    const { serverName } = security.tls ?? {};
    this.#client = new Client(address, channelCredentials(address, security), {
      'grpc.max_receive_message_length': messageBytes,
      'grpc.max_send_message_length': messageBytes,
      'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
      'grpc.keepalive_time_ms': keepAliveMs,
      'grpc.keepalive_timeout_ms': keepAliveTimeoutMs,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      // Each channel has its own connection; calls are repeated by those who know whether they may be.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_channelz': 0,
      ...(keepNothing && { 'grpc.per_rpc_retry_buffer_size': 0 }),
      ...(serverName !== undefined && { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
    });
  }

  /** Waits until the connection stands. Throws Unavailable after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined || error === null) resolve();
        else {
          const message = `${this.address}: no connection within ${timeoutMs} ms. Check that the process runs, that address and port are right, and that both sides agree on TLS`;
          reject(new MonolithError('Unavailable', message, { peer: this.address, timeoutMs }));
        }
      });
    });
  }

  /**
   * One request, one answer, as bytes.
   * @param path '/package.Service/Method'
   * @throws a MonolithError that names the peer: Unavailable, DeadlineExceeded, Unauthenticated, ResourceExhausted … or the code that the server threw.
   */
  unary(path: string, request: Uint8Array, { deadlineMs, headers, signal }: CallOptions): Promise<UnaryReply> {
    return new Promise((resolve, reject) => {
      if (this.#closed || signal?.aborted === true) {
        reject(
          new MonolithError('Cancelled', `${this.address}: ${path}: ${this.#closed ? 'the channel is closed' : 'cancelled'}`, {
            peer: this.address,
          }),
        );
        return;
      }
      let initial: Metadata | null = null;
      const cancel = (): void => call.cancel();
      const done = (error: ServiceError | null, message?: Buffer): void => {
        signal?.removeEventListener('abort', cancel);
        if (error !== null || message === undefined) {
          reject(
            error === null
              ? new MonolithError('Internal', `${this.address}: ${path}: no answer`)
              : fromServiceError(error, this.address, path),
          );
        } else resolve({ message, header: (name) => initial?.get(name)[0]?.toString() });
      };
      const options = deadlineMs > 0 ? { deadline: Date.now() + deadlineMs } : {};
      const call = this.#client.makeUnaryRequest<Buffer, Buffer>(
        path,
        same,
        same,
        asBuffer(request),
        this.#metadata(headers),
        options,
        done,
      );
      call.on('metadata', (metadata: Metadata) => {
        initial = metadata;
      });
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  /** Opens a stream in both directions. Its errors, the first connection's included, arrive in `onClose`. */
  duplex(path: string, headers?: Readonly<Record<string, string>>): RpcDuplex {
    if (this.#closed) throw new MonolithError('Cancelled', `${this.address}: ${path}: the channel is closed`, { peer: this.address });
    const call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same, this.#metadata(headers), {});
    return new ClientDuplex(call, this.address, path, this.#keepNothing);
  }

  /** Calls that run fail with Cancelled or end; twice is fine. */
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #metadata(headers: Readonly<Record<string, string>> | undefined): Metadata {
    const metadata = new Metadata();
    if (headers !== undefined) for (const name of Object.keys(headers)) metadata.set(name, headers[name]);
    const token = this.#tokens?.current()[0];
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }
}

class ClientDuplex extends CarriedDuplex<ClientDuplexStream<Buffer, Buffer>> {
  #failure: Error | null = null;

  constructor(
    call: ClientDuplexStream<Buffer, Buffer>,
    peer: string,
    path: string,
    private readonly tellsSent: boolean,
  ) {
    super(call, peer);
    call.on('error', (error: ServiceError) => this.settle(this.#failure ?? fromServiceError(error, peer, path)));
    call.on('status', (status) => {
      if (status.code === 0) this.settle(null);
    });
  }

  write(message: Uint8Array, sent?: () => void): boolean {
    return this.isClosed || this.carrier.write(asBuffer(message), this.tellsSent ? sent : undefined);
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.carrier.on('data', listener);
  }

  end(): void {
    this.carrier.end();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.carrier.cancel();
  }
}
