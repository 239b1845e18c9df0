import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';

const SOURCE = fileURLToPath(new URL('../../../test/helpers/kafka-mock.c', import.meta.url));
const HEADER = '/usr/include/librdkafka/rdkafka_mock.h';

/** Why no broker can be started here; null where one can. In CI it has to be there. */
export function kafkaAbsent(): string | null {
  if (existsSync(HEADER)) return null;
  if (process.env.CI === 'true') throw new Error(`${HEADER} is absent, but this is CI: apt-get install librdkafka-dev`);
  return `${HEADER} is absent (apt-get install librdkafka-dev)`;
}

/** Brokers of librdkafka's mock cluster: the protocol is real, the log lies in memory. */
export class KafkaBroker {
  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
    readonly kafka: kafkajs.Kafka,
  ) {}

  /** Compiles and starts it. @param topics number of partitions, by name */
  static async start(folder: string, topics: Readonly<Record<string, number>>): Promise<KafkaBroker> {
    const program = join(folder, 'kafka-mock');
    if (!existsSync(program)) execFileSync('cc', ['-O1', '-o', program, SOURCE, '-lrdkafka']);
    const child = spawn(
      program,
      Object.entries(topics).flatMap(([name, partitions]) => [name, String(partitions)]),
      {
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    const address = await line(child);
    const { Kafka, logLevel } = kafkajs;
    return new KafkaBroker(child, address, new Kafka({ clientId: 'test', brokers: [address], logLevel: logLevel.NOTHING }));
  }

  /** Puts messages into a partition. */
  async put(topic: string, partition: number, values: readonly (string | Buffer | null)[], timestamp = 1000): Promise<void> {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value, partition, timestamp: String(timestamp) })) });
    await producer.disconnect();
  }

  /** What a group has committed, by partition; −1: nothing. */
  async committed(group: string, topic: string): Promise<number[]> {
    const admin = this.kafka.admin();
    await admin.connect();
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    await admin.disconnect();
    return [...found.partitions].sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  }

  /** Takes the broker off the network, or brings it back. */
  async set(state: 'down' | 'up'): Promise<void> {
    const done = line(this.child);
    this.child.stdin?.write(`${state}\n`);
    await done;
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin?.end();
    await gone;
  }
}

function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(String(data).trim()));
    child.once('close', (code) => reject(new Error(`the broker ended with ${code}`)));
  });
}
