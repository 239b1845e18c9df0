import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import { discoveryError, indexOfService, parseIndex, serviceAt, splitAddress } from './service.js';
import { Watchers } from './watchers.js';

export type HostFileOptions = {
  /** A folder that all processes of the job share, and no other job. */
  readonly folder: string;
  /** Milliseconds between signs of life of a registered service. */
  readonly heartbeatMs?: number;
  /** Age of the last sign of life, in ms, after which an entry is taken away. Several times heartbeatMs. */
  readonly staleMs?: number;
  /** Milliseconds between looks at a folder that is watched. */
  readonly pollMs?: number;
};

/** Longest name of a role as a folder, and what it may be made of; keeps paths inside the shared folder. */
const ROLE = /^(?!\.)[A-Za-z0-9._-]{1,128}$/;
/** An entry is an address; a longer file is something else. */
const MAX_ENTRY_BYTES = 1024;
/** Name of the file whose time of change is the file server's present. */
const clockName = (): string => `.now-${randomUUID()}`;

/**
 * The address that a file of the shared folder holds: one line `host:port`. null for an empty file, which somebody is about to write.
 * @throws Discovery for anything else.
 */
export function parseHostFile(path: string, text: string): string | null {
  const line = text.trim();
  if (line === '') return null;
  if (line.length > MAX_ENTRY_BYTES || splitAddress(line) === null) {
    const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line;
    throw discoveryError('ConfigError', `${path} holds ${JSON.stringify(shown)}, expected one address host:port`, {
      backend: 'host_files',
    });
  }
  return line;
}

/**
 * Discovery through a folder that all hosts share: `<folder>/<role>/<index>` holds `host:port`. Files appear whole (written beside, then
 * renamed). A registered service rewrites its file again and again; one that is older than staleMs by the file server's clock belongs to a
 * dead process and is taken away by whoever sees it. Clocks of hosts need not agree.
 */
export class HostFileDiscovery implements Discovery {
  readonly kind = 'host_files';
  readonly #folder: string;
  readonly #heartbeatMs: number;
  readonly #staleMs: number;
  readonly #pollMs: number;
  readonly #registered = new Map<string, ServiceInfo>();
  readonly #watchers = new Watchers();
  /** Writes and removals of this process happen one after another, so that a late beat can't bring back what was taken away. */
  #last: Promise<void> = Promise.resolve();
  #beat: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  #closed = false;

  constructor({ folder, heartbeatMs = 2_000, staleMs = 15_000, pollMs = 250 }: HostFileOptions) {
    this.#folder = folder;
    this.#heartbeatMs = heartbeatMs;
    this.#staleMs = staleMs;
    this.#pollMs = pollMs;
  }

  async connect(): Promise<void> {
    this.#open();
    await this.#io('create', this.#folder, () => mkdir(this.#folder, { recursive: true }));
  }

  async register(service: ServiceInfo): Promise<void> {
    this.#open();
    this.#path(service);
    if (splitAddress(service.address) === null) throw this.#wrong(`${service.id}: '${service.address}' is not host:port`);
    // Set before it is written: no later sign of life may bring back what stood under this id before.
    this.#registered.set(service.id, service);
    try {
      await this.#inTurn(() => this.#write(service));
    } catch (error) {
      if (this.#registered.get(service.id) === service) this.#registered.delete(service.id);
      throw error;
    }
    this.#beat ??= setInterval(() => this.#beatAll(), this.#heartbeatMs).unref();
  }

  async deregister(service: ServiceInfo): Promise<void> {
    this.#open();
    this.#registered.delete(service.id);
    await this.#inTurn(() => this.#remove(service));
  }

  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    this.#open();
    const folder = this.#roleFolder(serviceType);
    const names = await this.#io('list', folder, () => readdir(folder), []);
    const services: ServiceInfo[] = [];
    let nowMs: number | null = null;
    for (const name of names) {
      const index = parseIndex(name);
      if (index === null || String(index) !== name) continue;
      const path = join(folder, name);
      const found = await this.#io('read', path, async () => ({ stats: await stat(path), text: await readFile(path, 'utf8') }), null);
      if (found === null) continue;
      nowMs ??= await this.#serverTime(folder);
      if (nowMs - found.stats.mtimeMs > this.#staleMs) {
        await rm(path, { force: true }).catch(() => {});
        continue;
      }
      const address = parseHostFile(path, found.text);
      if (address !== null) services.push(serviceAt(serviceType, index, address));
    }
    return services;
  }

  async heartbeat(serviceId: string): Promise<void> {
    this.#open();
    const service = this.#registered.get(serviceId);
    if (service === undefined) {
      throw discoveryError('NotFound', `no service ${serviceId} is registered by this process`, { backend: 'host_files' });
    }
    await this.#inTurn(() => this.#write(service));
  }

  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    const services = await this.discover(serviceType);
    const end = this.#watchers.add(serviceType, onChange);
    this.#watchers.tell(serviceType, services);
    this.#poll ??= setInterval(() => this.#look(), this.#pollMs).unref();
    return end;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#beat !== null) clearInterval(this.#beat);
    if (this.#poll !== null) clearInterval(this.#poll);
    this.#watchers.clear();
    const services = [...this.#registered.values()];
    this.#registered.clear();
    await this.#inTurn(async () => {
      for (const service of services) await this.#remove(service);
    });
  }

  /** A failed beat is made up for by the next one: the folder may be away for a while. */
  #beatAll(): void {
    for (const service of this.#registered.values()) {
      this.#inTurn(async () => {
        if (this.#registered.get(service.id) === service) await this.#write(service);
      }).catch(() => {});
    }
  }

  #inTurn(operation: () => Promise<void>): Promise<void> {
    const result = this.#last.then(operation);
    this.#last = result.catch(() => {});
    return result;
  }

  #look(): void {
    for (const type of this.#watchers.types()) {
      this.discover(type).then(
        (services) => this.#watchers.tell(type, services),
        () => {},
      );
    }
  }

  async #write(service: ServiceInfo): Promise<void> {
    const path = this.#path(service);
    const beside = join(this.#roleFolder(service.serviceType), `.${service.metadata.index}-${randomUUID()}`);
    await this.#io('write', path, async () => {
      await mkdir(this.#roleFolder(service.serviceType), { recursive: true });
      try {
        await writeFile(beside, `${service.address}\n`);
        await rename(beside, path);
      } catch (error) {
        await rm(beside, { force: true }).catch(() => {});
        throw error;
      }
    });
  }

  /** Takes an entry away unless another process has its address there by now. */
  async #remove(service: ServiceInfo): Promise<void> {
    const path = this.#path(service);
    await this.#io('remove', path, async () => {
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text !== null && text.trim() === service.address) await rm(path, { force: true });
    });
  }

  /** Present by the clock of the file server; by that of this host where the folder can't be written. */
  async #serverTime(folder: string): Promise<number> {
    const path = join(folder, clockName());
    try {
      await writeFile(path, '');
      return (await stat(path)).mtimeMs;
    } catch {
      return Date.now();
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
  }

  #path(service: ServiceInfo): string {
    const index = indexOfService(service);
    if (index === null) {
      throw this.#wrong(`${service.id}: metadata index must be a whole number from 0, got '${service.metadata.index ?? 'none'}'`);
    }
    return join(this.#roleFolder(service.serviceType), String(index));
  }

  #roleFolder(serviceType: string): string {
    if (!ROLE.test(serviceType)) {
      throw this.#wrong(`'${serviceType}' can't be the name of a folder; use up to 128 letters, digits, '.', '_' and '-', no '.' first`);
    }
    return join(this.#folder, serviceType);
  }

  #wrong(what: string): Error {
    return discoveryError('ConfigError', `host-file discovery: ${what}`, { backend: 'host_files' });
  }

  #open(): void {
    if (this.#closed) throw discoveryError('Closed', 'this discovery is closed', { backend: 'host_files' });
  }

  /** Runs a file operation; a file that is not there gives `absent` where one is named. */
  async #io<T>(verb: string, path: string, operation: () => Promise<T>, ...absent: [] | [T]): Promise<T> {
    try {
      return await operation();
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      if (absent.length === 1 && error.code === 'ENOENT') return absent[0];
      throw discoveryError('ConnectionFailed', `host-file discovery: can't ${verb} ${path}: ${error.message}`, {
        backend: 'host_files',
        cause,
      });
    }
  }
}
