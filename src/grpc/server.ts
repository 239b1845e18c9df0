import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { type MethodDefinition, Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, service as healthService } from 'grpc-health-check';
import { MonolithError } from '../base/index.js';
import { isLoopback, joinAddress } from './address.js';
import { CallGate, type RpcLimits, resolveLimits } from './limits.js';
import { type DefectListener, duplexHandler, rawMethod, refusal, unaryHandler } from './server-calls.js';
import { ServerCertificates, type ServerTls } from './server-tls.js';
import type { RpcService } from './service.js';
import { StreamEndpoint, type StreamEndpointOptions } from './stream/stream-endpoint.js';
import { peekStreamMark } from './stream/stream-mark.js';
import { type TokenSource, Tokens } from './token.js';
import { KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from './transport-options.js';
import { RECHECK_MS } from './watched-file.js';

/** Whom a server lets in. */
export type ServerSecurity = TokenSource & {
  readonly tls?: ServerTls;
  /** Allow other machines in without TLS. */
  readonly insecure?: boolean;
};

export type RpcServerOptions = {
  /** Default 127.0.0.1. Anything but loopback needs `security.tls` or `security.insecure`. */
  readonly host?: string;
  /** Default 0: a free one, see {@link RpcServer.port}. */
  readonly port?: number;
  readonly security?: ServerSecurity;
  readonly limits?: Partial<RpcLimits>;
  readonly services: readonly RpcService[];
  /** Encoded FileDescriptorProtos of the services, for the reflection service. */
  readonly reflection?: readonly Uint8Array[];
  /** What the operator should read: refused connections, handlers that failed. Never holds keys or tokens. Default: nothing is written. */
  readonly log?: (line: string) => void;
};

/** Kubernetes and grpc_health_probe can't send a token, and the answer says nothing but "serving". */
const WITHOUT_TOKEN = new Set(['/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch']);

/** Every HTTP/2 client says at once who it is; a connection that does not by then is closed. */
const FIRST_BYTES_MS = 10_000;

/**
 * A gRPC server: our services, the standard health service and reflection on one port. Owns its socket, so that connections are counted,
 * TLS files can be replaced while it runs, and a refused handshake is a line for the operator.
 */
export class RpcServer {
  readonly host: string;
  readonly port: number;
  readonly #listener: TcpServer | TlsServer;
  readonly #sockets: Set<Socket>;
  readonly #stop: (drainMs: number) => Promise<void>;
  #closing: Promise<void> | null = null;

  /**
   * Starts to serve.
   * @throws InvalidConfig for an address that is open to other machines without TLS or `insecure`, for unusable TLS files, tokens or limits;
   *         Unavailable when the address can't be bound.
   */
  static async start(options: RpcServerOptions): Promise<RpcServer> {
    const { host = '127.0.0.1', port = 0, security = {}, services, reflection = [], log = () => {} } = options;
    if (!isLoopback(host) && security.tls === undefined && security.insecure !== true) {
      throw new MonolithError(
        'InvalidConfig',
        `listening on ${host} without TLS would let every machine that reaches it read and change the model; give a certificate, listen on 127.0.0.1, or allow it with insecure: true (--insecure)`,
        { host },
      );
    }
    const limits = resolveLimits(options.limits);
    const certificates = security.tls === undefined ? null : new ServerCertificates(security.tls);
    const tokens = Tokens.from(security);
    const defect: DefectListener = (path, error) =>
      log(`${path}: handler failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const gate = new CallGate(limits);
    const refuses = (path: string, authorization: string | undefined) => unauthenticated(tokens, path, authorization);
    const { server, health } = buildServer(services, reflection, limits, gateInterceptor(refuses, gate), defect);
    const endpoint = new StreamEndpoint({ services, limits, gate, refuses, defect });
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const sockets = new Set<Socket>();
    const listener = certificates === null ? createTcpServer({ noDelay: true }) : createTlsServer(certificates.serverOptions());
    listener.maxConnections = limits.connections;
    listener.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    listener.on('drop', (dropped) =>
      log(`connection from ${dropped?.remoteAddress ?? '?'} refused: ${limits.connections} are open, the limit`),
    );
    const ready = (socket: Socket & { alpnProtocol?: string | false | null }): void => {
      if (certificates !== null && socket.alpnProtocol !== 'h2') {
        log(`connection from ${socket.remoteAddress ?? '?'} refused: it does not speak HTTP/2`);
        socket.destroy();
        return;
      }
      socket.on('error', () => socket.destroy());
      peekStreamMark(socket, FIRST_BYTES_MS, {
        marked: (read) => endpoint.accept(socket, read),
        other: () => injector.injectConnection(socket),
        silent: () => {
          log(`connection from ${socket.remoteAddress ?? '?'} closed: it sent no HTTP/2 preface within ${FIRST_BYTES_MS} ms`);
          socket.destroy();
        },
      });
    };
    listener.on(certificates === null ? 'connection' : 'secureConnection', ready);
    listener.on('tlsClientError', (error: Error & { code?: string }, socket: Socket) => {
      log(`connection from ${socket.remoteAddress ?? '?'} refused: TLS handshake failed (${error.code ?? 'unknown reason'})`);
    });
    const drain = (ms: number): void => {
      injector.drain(ms);
      endpoint.drain(ms);
    };
    /** Ends what was let in before the authorities changed: what is open drains, and what had only begun to be looked at ends with the rest. */
    const readmit = (): void => {
      const before = [...sockets];
      drain(RECHECK_MS);
      setTimeout(() => {
        for (const socket of before) socket.destroy();
      }, RECHECK_MS + 100).unref();
    };
    const watch =
      certificates === null ? null : setInterval(() => replaceCertificates(certificates, listener as TlsServer, readmit, log), RECHECK_MS);
    watch?.unref();
    await listen(listener, host, port);
    const bound = listener.address();
    const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
    for (const name of ['', ...services.map((service) => service.name)]) health.setStatus(name, 'SERVING');
    const stop = async (drainMs: number): Promise<void> => {
      if (watch !== null) clearInterval(watch);
      for (const name of ['', ...services.map((service) => service.name)]) health.setStatus(name, 'NOT_SERVING');
      for (const { closing } of services) closing?.();
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      drain(drainMs);
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, drainMs + 100);
      await closed;
      clearTimeout(timer);
      server.forceShutdown();
    };
    return new RpcServer(host, boundPort, listener, sockets, stop);
  }

  private constructor(host: string, port: number, listener: TcpServer, sockets: Set<Socket>, stop: (drainMs: number) => Promise<void>) {
    this.host = host;
    this.port = port;
    this.#listener = listener;
    this.#sockets = sockets;
    this.#stop = stop;
  }

  /** host:port where it listens. */
  get address(): string {
    return joinAddress(this.host, this.port);
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Keeps the process alive (the default) or not. */
  setRef(ref: boolean): void {
    if (ref) this.#listener.ref();
    else this.#listener.unref();
  }

  /** Takes no more calls, lets the running ones end for up to `drainMs`, then cuts them off. Twice is fine. */
  close(drainMs = 1000): Promise<void> {
    this.#closing ??= this.#stop(drainMs);
    return this.#closing;
  }
}

function buildServer(
  services: readonly RpcService[],
  reflection: readonly Uint8Array[],
  limits: RpcLimits,
  interceptor: ServerInterceptor,
  defect: DefectListener,
): { readonly server: Server; readonly health: HealthImplementation } {
  const server = new Server({
    interceptors: [interceptor],
    'grpc.max_receive_message_length': limits.messageBytes,
    'grpc.max_send_message_length': limits.messageBytes,
    'grpc.max_concurrent_streams': limits.streamsPerConnection,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.enable_channelz': 0,
  });
  for (const { name, unary = {}, duplex = {} } of services) {
    const methods: Record<string, MethodDefinition<Buffer, Buffer>> = {};
    const handlers: Record<string, ReturnType<typeof unaryHandler> | ReturnType<typeof duplexHandler>> = {};
    for (const [method, handler] of Object.entries(unary)) {
      methods[method] = rawMethod(`/${name}/${method}`, false);
      handlers[method] = unaryHandler(handler, defect);
    }
    for (const [method, handler] of Object.entries(duplex)) {
      methods[method] = rawMethod(`/${name}/${method}`, true);
      handlers[method] = duplexHandler(handler, defect);
    }
    server.addService(methods, handlers);
  }
  const health = new HealthImplementation();
  health.addToServer(server);
  const files = [...reflection.map((file) => Buffer.from(file)), ...healthService.Check.requestType.fileDescriptorProtos];
  // The reflection service looks at nothing but the encoded files of this entry.
  new ReflectionService({ files: { format: '', type: {}, fileDescriptorProtos: files } } as never).addToServer(server);
  return { server, health };
}

/** Token and limits, checked before the handler and before any message is read. */
function gateInterceptor(refuses: StreamEndpointOptions['refuses'], gate: CallGate): ServerInterceptor {
  return (method, call) => {
    let entered = false;
    const leave = (): void => {
      if (entered) gate.leave();
      entered = false;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const problem = refuses(method.path, metadata.get('authorization')[0]?.toString()) ?? gate.enter();
            metadata.remove('authorization');
            if (problem !== null) {
              call.sendStatus(refusal(problem));
              return;
            }
            entered = true;
            proceed(metadata);
          },
          onCancel: leave,
        }),
      sendStatus: (answer, next) => {
        leave();
        next(answer);
      },
    });
  };
}

function unauthenticated(tokens: Tokens | null, path: string, header: string | undefined): MonolithError | null {
  if (tokens === null || WITHOUT_TOKEN.has(path)) return null;
  if (tokens.accepts(header)) return null;
  return new MonolithError(
    'Unauthenticated',
    header === undefined ? 'this server wants a token, and none was sent' : 'the token sent is not valid here',
  );
}

function replaceCertificates(
  certificates: ServerCertificates,
  listener: TlsServer,
  readmit: () => void,
  log: (line: string) => void,
): void {
  const fresh = certificates.refresh();
  if (fresh === null) return;
  listener.setSecureContext(fresh.options);
  log('TLS files have changed and are in use');
  if (fresh.withdrawn) readmit();
}

/** What the system says of an address that can not be listened on, and what to do. */
function whyNot({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${code}: another process listens there; end it, or take another port (0 takes a free one)`;
    case 'EADDRNOTAVAIL':
      return `${code}: this host has no such address; give one of its own`;
    case 'EACCES':
      return `${code}: ports below 1024 need rights that this process has not; take another port`;
    default:
      return code ?? message;
  }
}

function listen(listener: TcpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(new MonolithError('Unavailable', `can't listen on ${joinAddress(host, port)}: ${whyNot(error)}`, { host, port }));
    };
    listener.once('error', failed);
    listener.listen({ host, port }, () => {
      listener.removeListener('error', failed);
      resolve();
    });
  });
}
