import zookeeper from 'node-zookeeper-client';
import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError, indexOfService, parseIndex, serviceAt, splitAddress } from './service.js';
import { Watchers } from './watchers.js';
import { type Done, ZooKeeperConnection } from './zookeeper-connection.js';

export type ZooKeeperOptions = {
  /** `host:port,host:port`, with a path behind them where all nodes stand below one. */
  readonly servers: string;
  /** Path of the job, `/monolith/<job>`; its services stand at `<path>/<role>.<index>`. */
  readonly path: string;
  /** Milliseconds after which the entries of a process that vanished vanish too; the server has limits of its own (4 s to 40 s by default). */
  readonly sessionTimeoutMs?: number;
  /** Longest time that one operation waits for the server. */
  readonly operationTimeoutMs?: number;
  /** Attempts of a registration, and the pause between them. */
  readonly registerTries?: number;
  readonly registerPauseMs?: number;
  /** Everything registered is checked this often, and put right. */
  readonly checkMs?: number;
};

const { NO_NODE, NODE_EXISTS } = zookeeper.Exception;
const THIRTY_MINUTES_MS = 30 * 60_000;
/** Pause before what an outage undid is tried again. */
const RESTORE_MS = 1_000;
/** A service announced here, and the one function that hears of changes of its node. */
type Registration = { readonly service: ServiceInfo; readonly path: string; readonly onEvent: () => void };
/** Rounds of "somebody else was faster" in one attempt of a registration. */
const MAX_ROUNDS = 5;

/**
 * Discovery through ZooKeeper: `/monolith/<job>/<role>.<index>`, an ephemeral node whose data is `host:port`, as ByteDance's Monolith lays
 * them out. A registered service is announced again after every reconnection, in a new session after one expired, and when its node was
 * deleted. A node of another process at another address is replaced by {@link ZooKeeperDiscovery.register} (a restarted process takes its old
 * place), but not by what happens in the background (the process that took the place keeps it).
 */
export class ZooKeeperDiscovery implements Discovery {
  readonly kind = 'zk';
  readonly #options: Required<ZooKeeperOptions>;
  readonly #connection: ZooKeeperConnection;
  readonly #folder: string;
  readonly #registered = new Map<string, Registration>();
  readonly #watchers = new Watchers();
  readonly #check: NodeJS.Timeout;
  #refreshing: 'no' | 'yes' | 'again' = 'no';
  #closed = false;

  /** @throws Discovery (ConfigError) when the path is none. */
  constructor(options: ZooKeeperOptions) {
    this.#options = {
      sessionTimeoutMs: 10_000,
      operationTimeoutMs: 5_000,
      registerTries: 3,
      registerPauseMs: 5_000,
      checkMs: THIRTY_MINUTES_MS,
      ...options,
    };
    const { servers, path, sessionTimeoutMs, operationTimeoutMs } = this.#options;
    this.#folder = path;
    if (!path.startsWith('/')) throw wrong(`the path '${path}' must start with '/', such as /monolith/my-job`);
    for (const part of path.slice(1).split('/')) checkPart('part', part);
    if (servers.trim() === '') throw wrong('no servers given; expected host:port,host:port');
    const onConnected = (): void => this.#restore();
    this.#connection = new ZooKeeperConnection({ servers, sessionTimeoutMs, operationTimeoutMs, onConnected });
    this.#check = setInterval(() => this.#restore(), this.#options.checkMs).unref();
  }

  async connect(): Promise<void> {
    await this.#connection.connect();
  }

  async register(service: ServiceInfo): Promise<void> {
    const path = this.#path(service);
    if (splitAddress(service.address) === null) throw wrong(`${service.id}: '${service.address}' is not host:port`);
    const { registerTries, registerPauseMs } = this.#options;
    // What stood here before is over: it must not be restored while its successor is announced.
    this.#registered.delete(service.id);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#announce(path, service, true, () => !this.#closed);
        break;
      } catch (error) {
        if (attempt >= registerTries || this.#closed) throw error;
        await new Promise((resolve) => setTimeout(resolve, registerPauseMs));
      }
    }
    const registration: Registration = { service, path, onEvent: () => this.#restoreOne(registration) };
    this.#registered.set(service.id, registration);
    await this.#guard(registration);
  }

  async deregister(service: ServiceInfo): Promise<void> {
    const path = this.#path(service);
    this.#registered.delete(service.id);
    const found = await this.#read(path);
    if (found === null || !this.#isOurs(found, service)) return;
    await this.#connection.call<void>('remove', path, (client, done) => client.remove(path, (error) => done(error, undefined)), [NO_NODE]);
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    return this.#list(checkPart('role', serviceType));
  }

  /** The session says by itself that this process is alive; a service that is not registered here is an error. */
  async heartbeat(serviceId: string): Promise<void> {
    if (!this.#registered.has(serviceId)) {
      throw discoveryError('NotFound', `no service ${serviceId} is registered by this process`, { backend: 'zk' });
    }
  }

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    checkPart('role', serviceType);
    await this.#makeFolder();
    const end = this.#watchers.add(serviceType, onChange);
    try {
      this.#watchers.tell(serviceType, await this.#list(serviceType, this.#refresh));
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#check);
    this.#registered.clear();
    this.#watchers.clear();
    await this.#connection.close();
  }

  /** Puts right what an outage or somebody else undid; goes on trying until it worked. */
  #restore(): void {
    if (this.#closed) return;
    this.#refresh();
    for (const registration of this.#registered.values()) this.#restoreOne(registration);
  }

  #restoreOne(registration: Registration): void {
    const { service, path } = registration;
    const isWanted = (): boolean => !this.#closed && this.#registered.get(service.id) === registration;
    if (!isWanted()) return;
    this.#announce(path, service, false, isWanted)
      .then(() => this.#guard(registration))
      .catch(() => {
        setTimeout(() => this.#restoreOne(registration), RESTORE_MS).unref();
      });
  }

  /** Hears when the node of a registered service changes. */
  async #guard(registration: Registration): Promise<void> {
    const { path, onEvent } = registration;
    const stat = await this.#connection.call<zookeeper.Stat>('watch', path, (client, done) => client.exists(path, onEvent, done));
    if (stat === null) this.#restoreOne(registration);
  }

  /** Makes the node be there with our address, owned by our session; leaves off as soon as that is no longer wanted. */
  async #announce(path: string, service: ServiceInfo, takeOver: boolean, isWanted: () => boolean): Promise<void> {
    const data = Buffer.from(service.address, 'utf8');
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let found = await this.#read(path);
      if (found === null) {
        await this.#makeFolder();
        found = await this.#read(path);
      }
      if (!isWanted()) return;
      if (found === null) {
        const mode = zookeeper.CreateMode.EPHEMERAL;
        const made = await this.#connection.call<string>('create', path, (c, done) => c.create(path, data, mode, done), [NODE_EXISTS]);
        if (made !== null) return;
      } else if (found.owner.equals(this.#connection.sessionId)) {
        if (found.address === service.address) return;
        const set = await this.#connection.call<zookeeper.Stat>('set', path, (client, done) => client.setData(path, data, done), [NO_NODE]);
        if (set !== null) return;
      } else if (takeOver || found.address === service.address) {
        // A node of another session would vanish with that session: it is made anew, in one step for those who watch it.
        const replace = (client: zookeeper.Client, done: Done<unknown>): void =>
          client.transaction().remove(path).create(path, data, zookeeper.CreateMode.EPHEMERAL).commit(done);
        if ((await this.#connection.call('replace', path, replace, [NO_NODE, NODE_EXISTS])) !== null) return;
      } else {
        return;
      }
    }
    throw discoveryError('Internal', `ZooKeeper: ${path} is claimed by several processes at once; is ${service.id} started twice?`, {
      backend: 'zk',
    });
  }

  #isOurs(found: { readonly address: string; readonly owner: Buffer }, service: ServiceInfo): boolean {
    return found.address === service.address || found.owner.equals(this.#connection.sessionId);
  }

  async #read(path: string, watcher?: () => void): Promise<{ readonly address: string; readonly owner: Buffer } | null> {
    return this.#connection.call<{ address: string; owner: Buffer }>(
      'read',
      path,
      (client, done) => {
        const answer = (error: Error | zookeeper.Exception | null, data: Buffer | undefined, stat: zookeeper.Stat): void => {
          if (error) done(error, { address: '', owner: Buffer.alloc(0) });
          else done(null, { address: data?.toString('utf8') ?? '', owner: stat.ephemeralOwner });
        };
        if (watcher === undefined) client.getData(path, answer);
        else client.getData(path, watcher, answer);
      },
      [NO_NODE],
    );
  }

  async #list(serviceType: string, watcher?: () => void): Promise<ServiceInfo[]> {
    const children = await this.#connection.call<string[]>(
      'list',
      this.#folder,
      (client, done) => (watcher === undefined ? client.getChildren(this.#folder, done) : client.getChildren(this.#folder, watcher, done)),
      [NO_NODE],
    );
    const found = (children ?? []).map(async (child) => {
      const at = child.lastIndexOf('.');
      const index = parseIndex(child.slice(at + 1));
      if (index === null || child.slice(0, at) !== serviceType) return [];
      const path = `${this.#folder}/${child}`;
      const node = await this.#read(path, watcher);
      if (node === null || node.address === '') return [];
      if (splitAddress(node.address) === null) {
        throw discoveryError('Internal', `ZooKeeper: ${path} holds ${JSON.stringify(node.address.slice(0, 60))}, expected host:port`, {
          backend: 'zk',
        });
      }
      return [serviceAt(serviceType, index, node.address)];
    });
    return (await Promise.all(found)).flat();
  }

  /** One function for all watches, since the client keeps one registration of it for each node. */
  readonly #refresh = (): void => {
    if (this.#closed) return;
    if (this.#refreshing !== 'no') {
      this.#refreshing = 'again';
      return;
    }
    this.#refreshing = 'yes';
    const next = (pauseMs: number): void => {
      const again = this.#refreshing === 'again' || pauseMs > 0;
      this.#refreshing = 'no';
      if (again) setTimeout(this.#refresh, pauseMs).unref();
    };
    void this.#lookAgain().then(
      () => next(0),
      () => next(RESTORE_MS),
    );
  };

  async #lookAgain(): Promise<void> {
    const types = this.#watchers.types();
    if (types.length > 0) await this.#makeFolder();
    for (const type of types) this.#watchers.tell(type, await this.#list(type, this.#refresh));
  }

  async #makeFolder(): Promise<void> {
    await this.#connection.call<string>('make', this.#folder, (client, done) => client.mkdirp(this.#folder, done));
  }

  #path(service: ServiceInfo): string {
    const index = indexOfService(service);
    if (index === null)
      throw wrong(`${service.id}: metadata index must be a whole number from 0, got '${service.metadata.index ?? 'none'}'`);
    return `${this.#folder}/${checkPart('role', service.serviceType)}.${index}`;
  }
}

function wrong(what: string): Error {
  return discoveryError('ConfigError', `ZooKeeper discovery: ${what}`, { backend: 'zk' });
}

/** A text that can be one part of a node's path. */
function checkPart(what: string, text: string): string {
  if (!/^[^/\s]{1,128}$/.test(text) || text === '.' || text === '..') {
    throw wrong(`the ${what} '${text}' can't be part of a path; use up to 128 characters without '/' and white space`);
  }
  return text;
}
