/** A place in a partition, as its source understands it: plain JSON that a checkpoint holds. Only the source looks inside. */
export type StreamOffset = null | boolean | number | string | readonly StreamOffset[] | { readonly [key: string]: StreamOffset };

/** Records of one partition, in its order, as bytes that a parser reads one behind the other. */
export type StreamRecords = {
  /** Whole records: lines with their line ends, or framed messages. */
  readonly bytes: Uint8Array;
  readonly count: number;
  /** [≥ count] the byte behind each record. */
  readonly ends: Int32Array;
  /** When record `i` happened or came, in milliseconds since 1970. */
  timeOf(i: number): number;
  /** Where the record behind record `i` is read from. */
  offsetAfter(i: number): StreamOffset;
  /** Where record `i` stands, for errors: "clicks.tsv, byte 1200". */
  placeOf(i: number): string;
};

/** A sequence of records that is read in order by one reader. */
export interface StreamPartition {
  /** The same after a restart: a checkpoint holds the offset under this name. */
  readonly name: string;
  /**
   * The records behind those of the last call; waits until there are some. One call at a time: what nobody asks for is not read on, apart from a
   * bounded stock.
   * @returns null at the end, or once the partition is closed or was taken away.
   */
  read(): Promise<StreamRecords | null>;
}

/** What a source is told and tells while it is open. */
export interface StreamHost {
  /** Where to go on in a partition: the offset of the checkpoint, or what has been read since. undefined: the partition is new. */
  position(partition: string): StreamOffset | undefined;
  /** A partition is there to be read. */
  add(partition: StreamPartition): void;
  /** A partition now belongs to somebody else: what was read of it and not yet handed out is dropped. */
  remove(partition: string): void;
  /** A line for people. */
  notify(message: string): void;
  /** The source can't go on: whoever waits for records gets the error. */
  fail(error: unknown): void;
}

/** Records that keep coming: partitions, each an ordered sequence that can be read from an offset on. */
export interface StreamSource {
  /** For messages. */
  readonly name: string;
  /** Whether records can be read again after a restart. Where not, a restart goes on with what comes. */
  readonly replays: boolean;
  /**
   * Begins, and resolves when the partitions that are known at the start were added; more may come later.
   * @throws DataNotFound, DataFormat, Unavailable
   */
  open(host: StreamHost): Promise<void>;
  /** Of two offsets of one partition: < 0 where `a` comes first. */
  compare(a: StreamOffset, b: StreamOffset): number;
  /** A checkpoint with these offsets is durable: the source may forget, or tell others, what is before them. */
  durable?(offsets: ReadonlyMap<string, StreamOffset>): Promise<void>;
  /** Ends reads that wait, and gives everything back. Twice is fine. */
  close(): Promise<void>;
}
