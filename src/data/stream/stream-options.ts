/** How a stream is read, beside what is said of its records ({@link PipelineOptions}). */
export type StreamOptions = {
  /**
   * arrival: records are taken as they come. round-robin: one of each partition in turn, in the order of their names, so that the order of records
   * follows from the partitions alone; a partition that is silent holds the others up.
   */
  readonly order: 'arrival' | 'round-robin';
  /** Where partitions are begun that the checkpoint does not know. A number: milliseconds since 1970 (Kafka). */
  readonly start: 'earliest' | 'latest' | 'committed' | number;
  /** What to do where records are gone that come next. */
  readonly lost: 'fail' | 'skip';
  /** Seconds without a record after which the stream counts as ended; 0: never. */
  readonly idleSeconds: number;
  /** Milliseconds that a step which is not full waits for more, from its first record on; 0: until it is full. */
  readonly flushMs: number;
  /** The column with the time of an event; null: when records came, or were put into their topic. */
  readonly eventTime: string | null;
  /** Whether times of events are wanted at all. */
  readonly timed: boolean;
  /** Kafka: milliseconds after which the group gives up a silent member. */
  readonly sessionTimeoutMs: number;
};

export const streamDefaults: StreamOptions = {
  order: 'arrival',
  start: 'earliest',
  lost: 'fail',
  idleSeconds: 0,
  flushMs: 0,
  eventTime: null,
  timed: false,
  sessionTimeoutMs: 10_000,
};
