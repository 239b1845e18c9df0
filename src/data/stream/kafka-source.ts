// Topics of Kafka. Offsets that count are those of our checkpoints; the broker is told of them once a checkpoint is durable.
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { MonolithError, suggest } from '../../base/index.js';
import { compareKafkaOffsets, type MessageForm, recordsOfMessages, startOf } from './kafka-messages.js';
import type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from './source.js';
import { Wake } from './wake.js';

/** Bytes of one partition that wait to be read, above which no more of it is fetched. */
const STOCK_BYTES = 2 << 20;
const CONNECT_TIMEOUT_MS = 3000;
const COMMIT_TIMEOUT_MS = 5000;
const MOST_FAILURES = 5;

export type KafkaOptions = {
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
  readonly group: string;
  /** For partitions of which the checkpoint says nothing. A number is a time in milliseconds since 1970; committed: what the group has at the broker. */
  readonly start: 'earliest' | 'latest' | 'committed' | number;
  /** What to do where the broker no longer has what comes next. */
  readonly lost: 'fail' | 'skip';
  readonly form: MessageForm;
  readonly maxRecordBytes: number;
  /** Milliseconds after which the group gives up a member that is silent. */
  readonly sessionTimeoutMs: number;
};

type Range = { readonly low: number; readonly high: number };

/** One partition of a topic that the group has given to this process. */
class TopicPartition implements StreamPartition {
  readonly name: string;
  private readonly wake = new Wake();
  private readonly stock: StreamRecords[] = [];
  private stockBytes = 0;
  private ended = false;
  paused = false;

  /**
   * @param next what is to come next; what is before it is passed over.
   * @param exact whether the broker is asked for just that: then anything left out is a loss.
   */
  constructor(
    readonly topic: string,
    readonly partition: number,
    public next: { readonly offset: number; readonly skip: number },
    public exact: boolean,
    private readonly onRoom: () => void,
  ) {
    this.name = partitionName(topic, partition);
  }

  get isFull(): boolean {
    return this.stockBytes >= STOCK_BYTES;
  }

  push(records: StreamRecords): void {
    this.stock.push(records);
    this.stockBytes += records.bytes.length;
    this.wake.ring();
  }

  end(): void {
    this.ended = true;
    this.stock.length = 0;
    this.wake.ring();
  }

  async read(): Promise<StreamRecords | null> {
    for (;;) {
      if (this.ended) return null;
      const records = this.stock.shift();
      if (records !== undefined) {
        this.stockBytes -= records.bytes.length;
        if (this.paused && !this.isFull) this.onRoom();
        return records;
      }
      await this.wake.wait();
    }
  }
}

function partitionName(topic: string, partition: number): string {
  return `kafka:${topic}/${partition}`;
}

/** Reads topics as a member of a consumer group. */
export class KafkaSource implements StreamSource {
  readonly replays = true;
  readonly name: string;
  private kafka: Kafka | null = null;
  private admin: Admin | null = null;
  private consumer: Consumer | null = null;
  private host: StreamHost | null = null;
  private closed = false;
  private joined = false;
  /** Times in a row that joining failed for good. */
  private failures = 0;
  private isAway = false;
  private toldOfCommit = false;
  private readonly held = new Map<string, TopicPartition>();
  /** Partitions that this process held and lost to another member. */
  private readonly released = new Set<string>();
  /** What the broker had of each partition, and where new ones are begun, when this was opened. */
  private readonly ranges = new Map<string, Range>();
  private readonly starts = new Map<string, number>();

  constructor(private readonly options: KafkaOptions) {
    this.name = `kafka://${options.brokers.join('+')}/${options.topics.join('+')}`;
  }

  readonly compare = compareKafkaOffsets;

  async open(host: StreamHost): Promise<void> {
    this.host = host;
    const { brokers } = this.options;
    const { Kafka, logLevel } = await import('kafkajs').then((module) => module.default);
    this.kafka = new Kafka({
      clientId: 'monolith-local',
      brokers: [...brokers],
      connectionTimeout: CONNECT_TIMEOUT_MS,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 100, maxRetryTime: 2000, retries: 3 },
    });
    try {
      await this.look();
      await this.join(this.kafka);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Joins the group, and resolves once partitions are dealt out. @throws Unavailable */
  private async join(kafka: Kafka): Promise<void> {
    const { group, topics, sessionTimeoutMs } = this.options;
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.max(100, Math.floor(sessionTimeoutMs / 4)),
      rebalanceTimeout: Math.max(10_000, sessionTimeoutMs),
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      // A run without end outlives its brokers: it is told of, and tried again.
      retry: { initialRetryTime: 200, maxRetryTime: 2000, retries: 3, restartOnFailure: async () => !this.closed },
    });
    this.consumer = consumer;
    const joining = new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        this.joined = true;
        this.failures = 0;
        this.assign(payload.memberAssignment as Readonly<Record<string, number[]>>);
        resolve();
      });
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
        if (this.closed || this.consumer !== consumer) return;
        this.tellOfCrash(error);
        // Its own attempts are over before it says so.
        if (!this.joined && restart) reject(this.unreachable(error));
        else if (!restart) this.joinAgain(kafka, consumer, error).then(resolve, reject);
      });
    });
    joining.catch(() => {});
    await this.connected(() => consumer.connect());
    // Where an offset is out of range the earliest comes next, and what is missing shows.
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => this.take(payload) });
    await joining;
  }

  /** Errors that the library does not retry, such as a group in the middle of dealing out: a new member may have more luck. */
  private async joinAgain(kafka: Kafka, old: Consumer, error: unknown): Promise<void> {
    await old.disconnect().catch(() => {});
    this.failures++;
    if (this.failures <= MOST_FAILURES && !this.closed) {
      await new Promise((resolve) => setTimeout(resolve, 300 * this.failures));
      if (!this.closed) return this.join(kafka);
    }
    const failure = this.unreachable(error);
    this.host?.fail(failure);
    throw failure;
  }

  /** Tells the broker's group how far checkpoints are: for tools that watch its lag. A failure costs nothing but that. */
  async durable(offsets: ReadonlyMap<string, StreamOffset>): Promise<void> {
    const { consumer } = this;
    if (consumer === null || this.closed) return;
    const commits = [...this.held.values()].flatMap(({ name, topic, partition }) => {
      const offset = offsets.get(name);
      return offset === undefined ? [] : [{ topic, partition, offset: String(startOf(offset).offset) }];
    });
    if (commits.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${COMMIT_TIMEOUT_MS / 1000} s`)), COMMIT_TIMEOUT_MS);
    });
    try {
      await Promise.race([consumer.commitOffsets(commits), late]);
      this.toldOfCommit = false;
    } catch (error) {
      if (!this.toldOfCommit) {
        this.host?.notify(
          `${this.name}: offsets could not be committed to group ${this.options.group} (${textOf(error)}); those of the checkpoint count all the same`,
        );
      }
      this.toldOfCommit = true;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const partition of this.held.values()) partition.end();
    await this.consumer?.disconnect().catch(() => {});
    await this.admin?.disconnect().catch(() => {});
  }

  /** Looks at topics and the ranges of their partitions, and settles where new ones begin. */
  private async look(): Promise<void> {
    const { kafka } = this;
    if (kafka === null) return;
    const admin = kafka.admin();
    this.admin = admin;
    await this.connected(() => admin.connect());
    const { topics, start, group } = this.options;
    const known = await admin.listTopics();
    for (const topic of topics) {
      if (!known.includes(topic)) throw unknownTopic(this.name, topic, known);
      const begun = typeof start === 'number' ? await admin.fetchTopicOffsetsByTimestamp(topic, start) : [];
      const committed = start === 'committed' ? await admin.fetchOffsets({ groupId: group, topics: [topic] }) : [];
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const range = { low: Number(low), high: Number(high) };
        const at = [...begun, ...(committed[0]?.partitions ?? [])].find((entry) => entry.partition === partition)?.offset;
        const none = start === 'latest' || typeof start === 'number' ? range.high : range.low;
        const name = partitionName(topic, partition);
        this.ranges.set(name, range);
        this.starts.set(name, at === undefined || Number(at) < 0 ? none : Math.max(Number(at), range.low));
      }
    }
  }

  private async connected(connect: () => Promise<void>): Promise<void> {
    await connect().catch((error: unknown) => {
      throw this.unreachable(error);
    });
  }

  /** The group has dealt partitions out. Called in the middle of joining: what is sought here holds for the first fetch. */
  private assign(assignment: Readonly<Record<string, number[]>>): void {
    if (this.isAway) this.host?.notify(`${this.name}: the broker is back`);
    this.isAway = false;
    const now = new Set(Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((p) => partitionName(topic, p))));
    for (const [name, partition] of this.held) {
      if (now.has(name)) continue;
      this.held.delete(name);
      this.released.add(name);
      partition.end();
      this.host?.remove(name);
      this.host?.notify(`${name}: the group has given it to another member; what was read and not trained is left to that one`);
    }
    for (const [topic, partitions] of Object.entries(assignment)) for (const p of partitions) this.begin(topic, p);
  }

  private begin(topic: string, number: number): void {
    const name = partitionName(topic, number);
    const { host } = this;
    const held = this.held.get(name);
    if (host === null || this.closed) return;
    let partition = held;
    if (partition === undefined) {
      const before = host.position(name);
      const isBack = this.released.has(name);
      let next = before === undefined ? { offset: this.starts.get(name) ?? 0, skip: 0 } : startOf(before);
      // Another member has had it: the broker knows how far that one is, and goes on there or where we were, whichever is later.
      if (before !== undefined && !isBack) {
        const range = this.ranges.get(name);
        if (range !== undefined && (next.offset < range.low || next.offset > range.high)) {
          if (!this.accepts(name, next.offset, range)) return;
          next = { offset: range.low, skip: 0 };
        }
      }
      partition = new TopicPartition(topic, number, next, !isBack, () => this.resume(name));
      this.held.set(name, partition);
      host.add(partition);
      if (isBack) host.notify(`${name}: the group has given it back`);
    }
    if (partition.exact) this.consumer?.seek({ topic, partition: number, offset: String(partition.next.offset) });
    if (partition.paused) this.resume(name);
  }

  /** Records that are gone: an error, unless that was allowed. */
  private accepts(name: string, expected: number, { low, high }: Range): boolean {
    const { lost } = this.options;
    const what =
      expected < low
        ? `the next record is ${expected}, but the broker has none before ${low}: ${low - expected} records are lost (retention)`
        : `the next record is ${expected}, but the topic ends at ${high}: it was made anew, or is that of another cluster`;
    if (lost === 'skip') {
      this.host?.notify(`${name}: ${what}; going on at ${low}`);
      return true;
    }
    const error = new MonolithError('DataNotFound', `${name}: ${what}. To go on at ${low} all the same: --stream-lost skip`, {
      partition: name,
      offset: expected,
      low,
      high,
      ...(expected < low ? { lost: low - expected } : {}),
    });
    this.host?.fail(error);
    return false;
  }

  private async take({ batch, resolveOffset, pause }: EachBatchPayload): Promise<void> {
    const name = partitionName(batch.topic, batch.partition);
    const held = this.held.get(name);
    const last = batch.messages.at(-1);
    if (held === undefined || last === undefined || this.closed) return;
    const first = Number(batch.messages[0].offset);
    const { offset } = held.next;
    if (held.exact && (first > offset || Number(batch.highWatermark) < offset)) {
      const range = await this.rangeOf(batch.topic, batch.partition);
      const isLost = range !== null && (offset < range.low || offset > range.high);
      if (isLost && !this.accepts(name, offset, range)) return;
      if (isLost) held.next = { offset: range.low, skip: 0 };
    }
    const records = recordsOfMessages(name, batch.messages, this.options.form, held.next, this.options.maxRecordBytes);
    // Given away while the range was asked for.
    if (this.held.get(name) !== held) return;
    const behind = Number(last.offset) + 1;
    if (behind > held.next.offset) held.next = { offset: behind, skip: 0 };
    held.exact = true;
    if (records !== null) held.push(records);
    resolveOffset(last.offset);
    if (held.isFull) {
      held.paused = true;
      pause();
    }
  }

  private resume(name: string): void {
    const held = this.held.get(name);
    if (held === undefined || this.closed) return;
    held.paused = false;
    this.consumer?.resume([{ topic: held.topic, partitions: [held.partition] }]);
  }

  private async rangeOf(topic: string, partition: number): Promise<Range | null> {
    const found = (await this.admin?.fetchTopicOffsets(topic))?.find((entry) => entry.partition === partition);
    return found === undefined ? null : { low: Number(found.low), high: Number(found.high) };
  }

  private tellOfCrash(error: unknown): void {
    if (this.isAway || !this.joined) return;
    this.isAway = true;
    this.host?.notify(`${this.name}: the broker does not answer (${textOf(error)}); trying again until it does`);
  }

  private unreachable(error: unknown): MonolithError {
    return new MonolithError(
      'Unavailable',
      `${this.name}: no broker answers (${textOf(error)}): check host and port, and that the broker's advertised.listeners can be reached from here`,
      { brokers: [...this.options.brokers] },
      { cause: error },
    );
  }
}

function unknownTopic(name: string, topic: string, known: readonly string[]): MonolithError {
  const meant = suggest(
    topic,
    known.filter((other) => !other.startsWith('__')),
  );
  return new MonolithError(
    'DataNotFound',
    `${name}: the broker has no topic ${topic}; ${meant === null ? 'create it first' : `did you mean ${meant}?`}`,
    { topic },
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
