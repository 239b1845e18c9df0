// One order of records out of many partitions.
import { MonolithError } from '../../base/index.js';
import type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from './source.js';
import { Wake } from './wake.js';

/** Records `first` … `first` + `count` of what one partition gave. */
export type Run = {
  readonly partition: string;
  readonly records: StreamRecords;
  readonly first: number;
  readonly count: number;
  /** The partition whose turn is next. */
  readonly turn: string;
};

type Lane = {
  readonly partition: StreamPartition;
  records: StreamRecords | null;
  /** Records of those that are handed out. */
  taken: number;
  reading: boolean;
  ended: boolean;
};

/** Reads all partitions of some sources, each one a step ahead, and hands their records out in one order. */
export class StreamMerger implements StreamHost {
  private readonly wake = new Wake();
  private readonly lanes = new Map<string, Lane>();
  /** Names of the lanes, sorted. */
  private names: string[] = [];
  private error: unknown = null;
  private closed = false;

  /**
   * @param positions of the checkpoint, by partition; goes along with what is handed out.
   * @param turn the partition that round-robin goes on with; null: the first.
   */
  constructor(
    private readonly sources: readonly StreamSource[],
    private readonly order: 'arrival' | 'round-robin',
    private readonly positions: Map<string, StreamOffset>,
    private turn: string | null,
    readonly notify: (message: string) => void,
  ) {}

  /** Opens the sources. @throws what one of them throws */
  async open(): Promise<void> {
    for (const source of this.sources) {
      if (this.closed) return;
      await source.open(this);
      if (this.closed) await source.close();
    }
    if (this.error !== null) throw this.error;
  }

  position(partition: string): StreamOffset | undefined {
    return this.positions.get(partition);
  }

  add(partition: StreamPartition): void {
    if (this.lanes.has(partition.name)) {
      this.fail(new MonolithError('InvalidConfig', `${partition.name} is named twice among the sources of the stream`, {}));
      return;
    }
    this.lanes.set(partition.name, { partition, records: null, taken: 0, reading: false, ended: false });
    this.names = [...this.lanes.keys()].sort();
    this.wake.ring();
  }

  remove(partition: string): void {
    this.lanes.delete(partition);
    this.names = [...this.lanes.keys()].sort();
    this.wake.ring();
  }

  fail(error: unknown): void {
    this.error ??= error;
    this.wake.ring();
  }

  /** The next records; waits for some. null: all partitions have ended, or this was closed. @throws what a source failed with */
  async next(most: number): Promise<Run | null> {
    for (;;) {
      const run = this.tryNext(most);
      if (run !== null) return run;
      if (this.closed || this.hasEnded) return null;
      await this.wake.wait();
    }
  }

  /** The next records if some are there; at most `most`. */
  tryNext(most: number): Run | null {
    if (this.error !== null) throw this.error;
    if (this.closed) return null;
    const { names } = this;
    const from = this.turn === null ? 0 : names.findIndex((name) => name >= (this.turn as string));
    for (let i = 0; i < names.length; i++) {
      const name = names[(Math.max(0, from) + i) % names.length];
      const lane = this.lanes.get(name);
      if (lane === undefined || lane.ended) continue;
      const { records } = lane;
      if (records === null) {
        this.read(lane);
        // In turn: nobody goes before.
        if (this.order === 'round-robin') return null;
        continue;
      }
      const count = Math.min(this.order === 'round-robin' ? 1 : most, records.count - lane.taken);
      this.turn = names[(names.indexOf(name) + 1) % names.length];
      const run = { partition: name, records, first: lane.taken, count, turn: this.turn };
      lane.taken += count;
      this.positions.set(name, records.offsetAfter(lane.taken - 1));
      if (lane.taken === records.count) {
        lane.records = null;
        this.read(lane);
      }
      return run;
    }
    return null;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wake.ring();
    await Promise.all(this.sources.map((source) => source.close()));
  }

  private get hasEnded(): boolean {
    return this.names.length > 0 && [...this.lanes.values()].every((lane) => lane.ended);
  }

  private read(lane: Lane): void {
    if (lane.reading || lane.ended) return;
    lane.reading = true;
    lane.partition.read().then(
      (records) => {
        lane.reading = false;
        lane.records = records;
        lane.taken = 0;
        if (records === null) lane.ended = true;
        this.wake.ring();
      },
      (error: unknown) => this.fail(error),
    );
  }
}
