import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { StreamOffset } from '../../src/data/index.js';
import { type KafkaOptions, KafkaSource } from '../../src/data/stream/kafka-source.js';
import { hasCode } from '../helpers/has-code.js';
import { KafkaBroker, kafkaAbsent } from '../helpers/kafka.js';
import { TestHost } from '../helpers/stream-host.js';
import { freePort } from '../helpers/zookeeper.js';
import { temporaryFolder } from './helpers.js';

const absent = kafkaAbsent();
const folder = temporaryFolder();

function lines(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `line ${from + i}`);
}

describe('a topic', { skip: absent ?? false, concurrency: true }, () => {
  let broker: KafkaBroker;
  const topics = { order: 2, commit: 1, begin: 1, lost: 1, anew: 1, shared: 2 };
  before(async () => {
    broker = await KafkaBroker.start(folder, topics);
  });
  after(() => broker.stop());

  const options = (topic: string, more: Partial<KafkaOptions> = {}): KafkaOptions => ({
    brokers: [broker.address],
    topics: [topic],
    group: `group of ${topic}`,
    start: 'earliest',
    lost: 'fail',
    form: { kind: 'lines' },
    maxRecordBytes: 1 << 20,
    sessionTimeoutMs: 6000,
    ...more,
  });

  async function open(given: KafkaOptions, positions?: ReadonlyMap<string, StreamOffset>) {
    const source = new KafkaSource(given);
    const host = await new TestHost(source, positions).open();
    return { source, host };
  }

  test('is read from its partitions, each in order, as it grows, and goes on where a checkpoint stands', async () => {
    await broker.put('order', 0, lines(0, 5));
    await broker.put('order', 1, lines(100, 103));
    const { source, host } = await open(options('order'));
    assert.deepEqual(await host.take(4, 'kafka:order/0'), lines(0, 4));
    assert.deepEqual(await host.take(3, 'kafka:order/1'), lines(100, 103));
    const next = host.take(2, 'kafka:order/1');
    await broker.put('order', 1, lines(103, 105));
    assert.deepEqual(await next, lines(103, 105));
    await source.close();
    const again = await open(options('order'), host.positions);
    assert.deepEqual(await again.host.take(1, 'kafka:order/0'), lines(4, 5));
    await again.source.close();
  });

  test('is told of offsets when a checkpoint is durable; those of the checkpoint count all the same', async () => {
    await broker.put('commit', 0, lines(0, 9));
    const { source, host } = await open(options('commit'));
    await host.take(5);
    assert.deepEqual(await broker.committed('group of commit', 'commit'), [-1]);
    await source.durable(host.positions);
    assert.deepEqual(await broker.committed('group of commit', 'commit'), [5]);
    await source.close();
    // An older checkpoint than the one that was committed, and none.
    const [older, fresh] = await Promise.all([
      open(options('commit', { group: 'other group' }), new Map([['kafka:commit/0', 2]])),
      open(options('commit', { start: 'committed' })),
    ]);
    assert.deepEqual(await older.host.take(1), ['line 2']);
    assert.deepEqual(await fresh.host.take(1), ['line 5']);
    await Promise.all([older.source.close(), fresh.source.close()]);
  });

  test('is begun at its present end where that is asked for', async () => {
    await broker.put('begin', 0, lines(0, 3));
    const { source, host } = await open(options('begin', { start: 'latest' }));
    const next = host.take(1);
    await broker.put('begin', 0, lines(3, 4));
    assert.deepEqual(await next, ['line 3']);
    await source.close();
  });

  test('that no longer has what comes next is an error with how many records are lost, or goes on behind them', async () => {
    const large = 'x'.repeat(900_000);
    for (let i = 0; i < 9; i++) await broker.put('lost', 0, [`${i} ${large}`]);
    const at = new Map([['kafka:lost/0', 1]]);
    const [strict, lenient] = await Promise.all([
      open(options('lost', { group: 'strict' }), at),
      open(options('lost', { group: 'lenient', lost: 'skip' }), at),
    ]);
    const error = await strict.host.failed();
    assert.ok(
      hasCode('DataNotFound', /next record is 1, but the broker has none before (\d+): \d+ records are lost.*--stream-lost skip/)(error),
    );
    const { low, lost } = (error as { details: { low: number; lost: number } }).details;
    assert.equal(lost, low - 1);
    await strict.source.close();
    assert.equal((await lenient.host.take(1))[0].slice(0, 1), String(low));
    assert.match(lenient.host.notes[0], /records are lost.*going on at/);
    await lenient.source.close();
  });

  test('that ends before the checkpoint is another one', async () => {
    await broker.put('anew', 0, lines(0, 2));
    const { source, host } = await open(options('anew'), new Map([['kafka:anew/0', 50]]));
    assert.ok(hasCode('DataNotFound', /topic ends at 2: it was made anew/)(await host.failed()));
    await source.close();
  });

  test('is shared with another member of its group, and taken back when that one leaves, nothing read twice', async () => {
    await broker.put('shared', 0, lines(0, 4));
    await broker.put('shared', 1, lines(100, 104));
    const { source, host } = await open(options('shared'));
    await host.take(4, 'kafka:shared/0');
    await host.take(4, 'kafka:shared/1');
    const other = new KafkaSource(options('shared'));
    const otherHost = await new TestHost(other).open();
    await host.until(() => host.removed.length === 1);
    const [name] = host.removed;
    assert.deepEqual([...otherHost.partitions.keys()], [name]);
    await other.close();
    await host.until(() => host.partitions.size === 2);
    const partition = Number(name.slice(-1));
    await broker.put('shared', partition, ['after']);
    assert.deepEqual(await host.take(1, name), ['after']);
    await source.close();
  });

  test('that does not exist is an error, with the name that was meant', async () => {
    await assert.rejects(open(options('ordre')), hasCode('DataNotFound', /no topic ordre; did you mean order\?/));
  });

  test('on a broker that does not answer is an error', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    await assert.rejects(
      open({ ...options('order'), brokers: [nobody] }),
      hasCode('Unavailable', /no broker answers.*advertised\.listeners/),
    );
  });

  test('on a broker that goes away for a while is waited for, and nothing is lost or read twice', async () => {
    const broker = await KafkaBroker.start(folder, { flaky: 1 });
    await broker.put('flaky', 0, lines(0, 3));
    const source = new KafkaSource({
      brokers: [broker.address],
      topics: ['flaky'],
      group: 'g',
      start: 'earliest',
      lost: 'fail',
      form: { kind: 'lines' },
      maxRecordBytes: 1000,
      sessionTimeoutMs: 6000,
    });
    const host = await new TestHost(source).open();
    assert.deepEqual(await host.take(3), lines(0, 3));
    await broker.set('down');
    await host.until(() => host.notes.some((note) => note.includes('does not answer')));
    await broker.set('up');
    const next = host.take(2);
    await broker.put('flaky', 0, lines(3, 5));
    assert.deepEqual(await next, lines(3, 5));
    assert.match(host.notes.join('\n'), /the broker is back/);
    await source.close();
    await broker.stop();
  });
});
