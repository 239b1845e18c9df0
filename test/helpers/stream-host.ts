import type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from '../../src/data/index.js';

/** Reads a source as a pipeline would: keeps lines and where to go on. */
export class TestHost implements StreamHost {
  readonly notes: string[] = [];
  readonly lines: string[] = [];
  readonly removed: string[] = [];
  readonly partitions = new Map<string, StreamPartition>();
  readonly positions: Map<string, StreamOffset>;
  /** What was read and not yet taken. */
  private readonly rests = new Map<StreamPartition, { readonly records: StreamRecords; readonly at: number }>();
  private failure: unknown = null;
  private wake: () => void = () => {};

  constructor(
    private readonly source: StreamSource,
    positions: ReadonlyMap<string, StreamOffset> = new Map(),
  ) {
    this.positions = new Map(positions);
  }

  position(name: string): StreamOffset | undefined {
    return this.positions.get(name);
  }

  add(partition: StreamPartition): void {
    this.partitions.set(partition.name, partition);
    this.wake();
  }

  remove(name: string): void {
    this.partitions.delete(name);
    this.removed.push(name);
    this.wake();
  }

  notify(message: string): void {
    this.notes.push(message);
    this.wake();
  }

  fail(error: unknown): void {
    this.failure = error;
    this.wake();
  }

  /** Resolves with the error that the source fails with. */
  async failed(): Promise<unknown> {
    await this.until(() => this.failure !== null);
    return this.failure;
  }

  /** Waits until something told to this host makes the condition true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  async open(): Promise<this> {
    await this.source.open(this);
    return this;
  }

  /**
   * Reads one partition until `count` lines came in this call, and takes just these: the position is that behind them.
   * @param name absent: the only partition.
   */
  async take(count: number, name?: string): Promise<string[]> {
    const partition = name === undefined ? [...this.partitions.values()][0] : this.partitions.get(name);
    const taken: string[] = [];
    while (partition !== undefined && taken.length < count) {
      const rest = this.rests.get(partition);
      const records = rest?.records ?? (await partition.read());
      if (records === null) break;
      const first = rest?.at ?? 0;
      const end = Math.min(records.count, first + count - taken.length);
      for (let i = first; i < end; i++) {
        const start = i === 0 ? 0 : records.ends[i - 1];
        taken.push(Buffer.from(records.bytes.subarray(start, records.ends[i])).toString('utf8').replace(/\n$/, ''));
      }
      this.positions.set(partition.name, JSON.parse(JSON.stringify(records.offsetAfter(end - 1))) as StreamOffset);
      if (end < records.count) this.rests.set(partition, { records, at: end });
      else this.rests.delete(partition);
    }
    this.lines.push(...taken);
    return taken;
  }
}
