// Lines of a connection or of standard input: they come once and cannot be asked for again.
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { MonolithError } from '../../base/index.js';
import { compareNumbers, countedLines, LineCutter } from './lines.js';
import type { StreamHost, StreamPartition, StreamRecords, StreamSource } from './source.js';
import { Wake } from './wake.js';

/** Bytes of lines that wait to be read, above which no more are taken from the sender. */
const STOCK_BYTES = 1 << 20;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
/** How long the first connection may take to come about, with all attempts. */
const CONNECT_MS = 10_000;

/** What lines have in common that come as they please: a bounded stock, and the number of lines as offset. */
abstract class LiveLines implements StreamSource, StreamPartition {
  readonly replays = false;
  protected readonly wake = new Wake();
  protected host: StreamHost | null = null;
  protected closed = false;
  protected ended = false;
  private readonly stock: StreamRecords[] = [];
  private stockBytes = 0;
  private lines = 0;
  protected readonly cutter: LineCutter;

  constructor(
    readonly name: string,
    maxRecordBytes: number,
  ) {
    this.cutter = new LineCutter(name, maxRecordBytes);
  }

  readonly compare = compareNumbers;

  async open(host: StreamHost): Promise<void> {
    this.host = host;
    const before = host.position(this.name);
    if (before !== undefined && typeof before === 'number') {
      this.lines = before;
      host.notify(`${this.name}: ${before} lines were read before; what was sent meanwhile cannot be asked for again, reading what comes`);
    }
    await this.begin();
    host.add(this);
  }

  async read(): Promise<StreamRecords | null> {
    for (;;) {
      const records = this.stock.shift();
      if (records !== undefined) {
        this.stockBytes -= records.bytes.length;
        if (this.stockBytes < STOCK_BYTES) this.flow(true);
        return records;
      }
      if (this.closed || this.ended) return null;
      await this.wake.wait();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.shut();
    this.wake.ring();
  }

  protected take(cut: { readonly bytes: Uint8Array; readonly ends: Int32Array } | null): void {
    if (cut === null) return;
    this.stock.push(countedLines(this.name, cut, this.lines, Date.now()));
    this.lines += cut.ends.length;
    this.stockBytes += cut.bytes.length;
    if (this.stockBytes >= STOCK_BYTES) this.flow(false);
    this.wake.ring();
  }

  protected fail(error: unknown): void {
    this.ended = true;
    this.shut();
    this.host?.fail(error);
    this.wake.ring();
  }

  protected abstract begin(): Promise<void>;
  /** Lets more come, or holds it back. */
  protected abstract flow(on: boolean): void;
  protected abstract shut(): void;
}

/** Lines that a server at host:port sends to whoever connects. A lost connection is made anew. */
export class TcpLines extends LiveLines {
  private socket: Socket | null = null;
  private pauseMs = FIRST_PAUSE_MS;
  private timer: NodeJS.Timeout | null = null;
  private lost = false;

  constructor(
    private readonly hostname: string,
    private readonly port: number,
    maxRecordBytes: number,
  ) {
    super(`tcp://${hostname}:${port}`, maxRecordBytes);
  }

  protected begin(): Promise<void> {
    const until = Date.now() + CONNECT_MS;
    return new Promise((resolve, reject) => {
      const attempt = (): void => {
        this.connect(resolve, (error) => {
          if (this.closed) resolve();
          else if (Date.now() < until) this.timer = setTimeout(attempt, FIRST_PAUSE_MS * 4);
          else reject(unreachable(this.name, error));
        });
      };
      attempt();
    });
  }

  private connect(onConnect: () => void, onError: (error: NodeJS.ErrnoException) => void): void {
    const socket = connect({ host: this.hostname, port: this.port });
    this.socket = socket;
    let isOpen = false;
    socket.on('connect', () => {
      isOpen = true;
      this.pauseMs = FIRST_PAUSE_MS;
      if (this.lost) this.host?.notify(`${this.name}: connected again; what was sent meanwhile is not known here`);
      this.lost = false;
      onConnect();
    });
    socket.on('data', (piece) => {
      try {
        this.take(this.cutter.add(piece));
      } catch (error) {
        this.fail(error);
      }
    });
    let failure: NodeJS.ErrnoException | null = null;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => {
      if (this.closed || this.ended) return;
      if (!isOpen) onError(failure ?? new Error('closed'));
      else this.reconnect();
    });
  }

  private reconnect(): void {
    const half = this.cutter.halfBytes;
    this.cutter.flush();
    if (!this.lost) {
      const cut = half === 0 ? '' : `, and with it the ${half} bytes of a line that was under way`;
      this.host?.notify(`${this.name}: the connection was lost${cut}; connecting again until it succeeds`);
    }
    this.lost = true;
    this.timer = setTimeout(() => {
      this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
      this.connect(
        () => {},
        () => this.reconnect(),
      );
    }, this.pauseMs);
  }

  protected flow(on: boolean): void {
    if (on) this.socket?.resume();
    else this.socket?.pause();
  }

  protected shut(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.socket?.destroy();
  }
}

/** The lines of standard input, or of another stream of bytes, to its end. */
export class InputLines extends LiveLines {
  constructor(
    private readonly input: Readable,
    maxRecordBytes: number,
  ) {
    super('-', maxRecordBytes);
  }

  protected async begin(): Promise<void> {
    const { input } = this;
    input.on('data', (piece: Uint8Array) => {
      try {
        this.take(this.cutter.add(piece));
      } catch (error) {
        this.fail(error);
      }
    });
    input.on('error', (error) => this.fail(new MonolithError('DataNotFound', `standard input: reading failed (${error.message})`)));
    input.on('end', () => {
      this.take(this.cutter.flush());
      this.ended = true;
      this.wake.ring();
    });
  }

  protected flow(on: boolean): void {
    if (on) this.input.resume();
    else this.input.pause();
  }

  protected shut(): void {
    this.input.destroy();
  }
}

function unreachable(name: string, error: NodeJS.ErrnoException): MonolithError {
  return new MonolithError(
    'DataNotFound',
    `${name}: no connection within ${CONNECT_MS / 1000} s (${error.code ?? error.message}): is the sender listening there?`,
    { name },
    { cause: error },
  );
}
