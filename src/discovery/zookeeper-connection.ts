import zookeeper from 'node-zookeeper-client';
import { monotonicMs } from '../base/index.js';
import { discoveryError } from './service.js';

/** What an operation hands its result to. */
export type Done<T> = (error: Error | zookeeper.Exception | null, result: T) => void;

export type ZooKeeperConnectionOptions = {
  /** `host:port,host:port`, with a path behind them where the job's nodes stand below one. */
  readonly servers: string;
  readonly sessionTimeoutMs: number;
  readonly operationTimeoutMs: number;
  /** Called whenever a connection stands again, with the same session or a new one; not for the first. */
  readonly onConnected: () => void;
};

/** Pause before an operation that met a lost connection is tried again. */
const RETRY_MS = 100;
/** Longest pause of the client between attempts to connect. */
const SPIN_MS = 500;
/** Looks at the connection within one session timeout. */
const LOOKS = 3;
/** How long a close waits for the server's answer. */
const CLOSE_MS = 1_000;

const { CONNECTION_LOSS, SESSION_EXPIRED } = zookeeper.Exception;

// The client throws out of its socket's handler for error codes that it does not know (a session that moved to another server), which would
// end the process. They become system errors instead.
const factory = zookeeper.Exception as unknown as { create(code: number): Error };
const createKnown = factory.create;
factory.create = (code) => {
  try {
    return createKnown(code);
  } catch {
    return Object.assign(createKnown(zookeeper.Exception.SYSTEM_ERROR), { message: `error ${code} of the server` });
  }
};

/** The part of the client that its types do not name: the socket, which it never gives up on when a server falls silent. */
type WithSocket = { readonly connectionManager?: { readonly socket?: { destroy(): void } } };

function destroySocket(client: zookeeper.Client): void {
  (client as unknown as WithSocket).connectionManager?.socket?.destroy();
}

/**
 * A connection to ZooKeeper that outlives sessions: the client reconnects by itself while its session lives; when a session has expired a new
 * client takes over. Operations wait for the connection, are tried again when it is lost under them, and end with a typed error in time.
 */
export class ZooKeeperConnection {
  readonly #options: ZooKeeperConnectionOptions;
  #client: zookeeper.Client | null = null;
  #connecting: Promise<void> | null = null;
  #pulse: NodeJS.Timeout | null = null;
  #looksWithout = 0;
  #closed = false;

  constructor(options: ZooKeeperConnectionOptions) {
    this.#options = options;
  }

  /** @throws Discovery (ConnectionFailed) when no server answers within the operation's timeout. */
  connect(): Promise<void> {
    if (this.#closed) return Promise.reject(discoveryError('Closed', 'this discovery is closed', { backend: 'zk' }));
    this.#connecting ??= this.#first().catch((error) => {
      this.#connecting = null;
      throw error;
    });
    return this.#connecting;
  }

  /** Id of the session in force, as nodes name their owner. */
  get sessionId(): Buffer {
    return this.#client?.getSessionId() ?? Buffer.alloc(8);
  }

  /**
   * One operation of the client.
   * @param verb what is done, for messages.
   * @param tolerated codes of ZooKeeper that give null instead of an error.
   * @throws Discovery: ConnectionFailed, Timeout, Internal.
   */
  async call<T>(
    verb: string,
    path: string,
    operation: (client: zookeeper.Client, done: Done<T>) => void,
    tolerated: readonly number[] = [],
  ): Promise<T | null> {
    await this.connect();
    const deadline = monotonicMs() + this.#options.operationTimeoutMs;
    for (;;) {
      const client = this.#client;
      if (client === null) throw discoveryError('Closed', 'this discovery is closed', { backend: 'zk' });
      try {
        return await this.#once(client, operation, deadline);
      } catch (cause) {
        const code = (cause as { code?: unknown }).code;
        if (typeof code === 'number' && tolerated.includes(code)) return null;
        const lost = code === CONNECTION_LOSS || code === SESSION_EXPIRED;
        if (lost && !this.#closed && monotonicMs() + RETRY_MS < deadline) {
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
          continue;
        }
        const reason = lost ? 'ConnectionFailed' : code === 'timeout' ? 'Timeout' : 'Internal';
        const message = `ZooKeeper ${this.#options.servers}: ${verb} ${path}: ${(cause as Error).message}`;
        throw discoveryError(reason, message, { backend: 'zk', cause });
      }
    }
  }

  /** Ends the session, by which its nodes vanish. Without a connection they vanish when the session expires. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pulse !== null) clearInterval(this.#pulse);
    const client = this.#client;
    this.#client = null;
    if (client !== null) await endClient(client);
  }

  async #first(): Promise<void> {
    const client = this.#start();
    const { servers, operationTimeoutMs } = this.#options;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => {
          const message = `ZooKeeper ${servers}: no connection within ${operationTimeoutMs} ms; is a server running there?`;
          reject(discoveryError('ConnectionFailed', message, { backend: 'zk' }));
        }, operationTimeoutMs);
        client.once('connected', () => {
          clearTimeout(late);
          resolve();
        });
      });
    } catch (error) {
      if (this.#client === client) this.#client = null;
      void endClient(client);
      throw error;
    }
    client.on('connected', this.#options.onConnected);
    const everyMs = Math.max(100, Math.floor(this.#options.sessionTimeoutMs / LOOKS));
    this.#pulse = setInterval(() => this.#feel(everyMs), everyMs).unref();
  }

  #start(): zookeeper.Client {
    const { servers, sessionTimeoutMs } = this.#options;
    const client = zookeeper.createClient(servers, { sessionTimeout: sessionTimeoutMs, spinDelay: SPIN_MS, retries: 0 });
    client.once('expired', () => {
      if (this.#closed || this.#client !== client) return;
      this.#start().on('connected', this.#options.onConnected);
    });
    this.#client = client;
    client.connect();
    return client;
  }

  /**
   * Does what the client leaves out. A server that went silent without closing the connection is left, so that the client turns to another one.
   * After one session timeout without a connection the session is given up for a new one: the client waits without end for the answer to its
   * first words, and a server that lost its data refuses sessions that have seen more than it has.
   */
  #feel(withinMs: number): void {
    const client = this.#client;
    if (client === null) return;
    if (client.getState() === zookeeper.State.SYNC_CONNECTED) {
      this.#looksWithout = 0;
      const late = setTimeout(() => destroySocket(client), withinMs).unref();
      client.exists('/', () => clearTimeout(late));
      return;
    }
    if (++this.#looksWithout < LOOKS) return;
    this.#looksWithout = 0;
    this.#start().on('connected', this.#options.onConnected);
    void endClient(client);
  }

  #once<T>(client: zookeeper.Client, operation: (client: zookeeper.Client, done: Done<T>) => void, deadline: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const late = setTimeout(
        () => reject(Object.assign(new Error(`no answer within ${this.#options.operationTimeoutMs} ms`), { code: 'timeout' })),
        Math.max(1, deadline - monotonicMs()),
      );
      operation(client, (error, result) => {
        clearTimeout(late);
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    });
  }
}

async function endClient(client: zookeeper.Client): Promise<void> {
  await new Promise<void>((resolve) => {
    const connected = client.getState() === zookeeper.State.SYNC_CONNECTED;
    const late = setTimeout(resolve, connected ? CLOSE_MS : 0);
    client.once('disconnected', () => {
      clearTimeout(late);
      resolve();
    });
    try {
      client.close();
    } catch {
      resolve();
    }
  });
  destroySocket(client);
}
