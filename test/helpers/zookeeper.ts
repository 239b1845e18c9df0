import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { waitUntil } from './wait-until.js';

/** Where Debian's package `zookeeper` puts the server. */
const JAR = '/usr/share/java/zookeeper.jar';

/** Why no server can be started here; null when one can. */
export function zooKeeperAbsent(): string | null {
  if (!existsSync(JAR)) return `${JAR} is absent (apt-get install zookeeper)`;
  return spawnSync('java', ['-version']).status === 0 ? null : 'java is absent (apt-get install default-jre-headless)';
}

/** A port of this host that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A real ZooKeeper server with short ticks, on a port of its own. */
export class ZooKeeperServer {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #log = '';

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(folder: string): Promise<ZooKeeperServer> {
    const server = new ZooKeeperServer(folder, await freePort());
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    await mkdir(join(this.#folder, 'data'), { recursive: true });
    const configuration = {
      tickTime: 100,
      dataDir: join(this.#folder, 'data'),
      clientPort: this.port,
      clientPortAddress: '127.0.0.1',
      'admin.enableServer': false,
      minSessionTimeout: 200,
      maxSessionTimeout: 60_000,
      '4lw.commands.whitelist': 'ruok',
    };
    const lines = Object.entries(configuration).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(this.#folder, 'zoo.cfg'), lines.join(''));
    const flags = [
      '-Xmx96m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dzookeeper.jmx.log4j.disable=true',
      '-Dzookeeper.forceSync=no',
    ];
    const child = spawn('java', [...flags, '-cp', JAR, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', 'zoo.cfg'], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        this.#log += data;
      });
    }
    await waitUntil(`ZooKeeper answers on port ${this.port}`, () => {
      if (child.exitCode !== null) throw new Error(`ZooKeeper ended with ${child.exitCode}: ${this.#log}`);
      return ask(this.port);
    });
  }

  /** Ends the server at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Deletes what the server kept; only while it is down. Sessions of before are unknown to it afterwards. */
  async forget(): Promise<void> {
    await rm(join(this.#folder, 'data'), { recursive: true, force: true });
  }
}

function ask(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('ruok'));
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(text === 'imok'));
    socket.setTimeout(2_000, () => socket.destroy());
  });
}

/** A wire between a client and a server that can fall silent or be cut. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'up' | 'silent' | 'cut' = 'up';

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(createServer((client) => wire.#join(client, connect(port, '127.0.0.1'))));
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections break and new ones are refused; or both sides just hear nothing more. */
  down(how: 'silent' | 'cut'): void {
    this.#state = how;
    if (how === 'cut') for (const socket of this.#sockets) socket.destroy();
  }

  /** New connections work. Those that fell silent stay so. */
  up(): void {
    this.#state = 'up';
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    let silent = this.#state === 'silent';
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => {
        if (this.#state === 'silent') silent = true;
        if (!silent) to.write(data);
      });
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    if (this.#state === 'cut') client.destroy();
  }
}
