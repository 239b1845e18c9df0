import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { fidV1ToV2, makeFidV1 } from '../../src/base/index.js';
import {
  encodeFrame,
  encodeMessage,
  type PipelineOptions,
  type StreamOptions,
  StreamPipeline,
  type StreamRecords,
  type StreamSource,
} from '../../src/data/index.js';
import { timeOf } from '../../src/data/stream/event-time.js';
import { type Message, recordsOfMessages } from '../../src/data/stream/kafka-messages.js';
import { compareNumbers, countedLines, lineEnds } from '../../src/data/stream/lines.js';
import { InputLines, TcpLines } from '../../src/data/stream/socket-lines.js';
import { sourceOf } from '../../src/data/stream/stream-spec.js';
import { hasCode } from '../helpers/has-code.js';
import { TestHost } from '../helpers/stream-host.js';
import { rowsOf, slotsFor, temporaryFolder, write } from './helpers.js';

/** Lines in memory by partition, replayed from an offset on; those that are pushed come later. */
class MemorySource implements StreamSource {
  readonly name = 'memory';
  readonly replays = true;
  readonly compare = compareNumbers;
  readonly durableOffsets: unknown[] = [];
  private readonly wakes: (() => void)[] = [];
  private closed = false;

  constructor(
    readonly lines: Readonly<Record<string, string[]>>,
    private readonly chunk = 3,
    public ends = false,
  ) {}

  async open(host: Parameters<StreamSource['open']>[0]): Promise<void> {
    for (const [name, all] of Object.entries(this.lines)) {
      let at = Number(host.position(name) ?? 0);
      const read = async () => {
        while (!this.closed) {
          const some = all.slice(at, at + this.chunk);
          if (some.length > 0) {
            const bytes = Buffer.from(some.map((line) => `${line}\n`).join(''));
            const records = countedLines(name, { bytes, ends: lineEnds(bytes, bytes.length) }, at, 1000 * at);
            at += some.length;
            return records;
          }
          if (this.ends) return null;
          await new Promise<void>((resolve) => void this.wakes.push(resolve));
        }
        return null;
      };
      host.add({ name, read });
    }
  }

  push(partition: string, ...lines: string[]): void {
    this.lines[partition].push(...lines);
    this.ring();
  }

  end(): void {
    this.ends = true;
    this.ring();
  }

  async durable(offsets: ReadonlyMap<string, unknown>): Promise<void> {
    this.durableOffsets.push(Object.fromEntries(offsets));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.ring();
  }

  private ring(): void {
    for (const wake of this.wakes.splice(0)) wake();
  }
}

const schema: PipelineOptions['schema'] = {
  label: { column: 'y' },
  columns: ['y', 'x', 't'],
  features: [{ name: 'x', type: 'numeric' }],
};

function open(
  source: MemorySource,
  options: Partial<PipelineOptions> = {},
  settings: Partial<StreamOptions> = {},
): Promise<StreamPipeline> {
  const given = { files: ['kafka://b/t?group=g'], format: 'csv', schema, batchSize: 4, parseThreads: 0, ...options } as const;
  return StreamPipeline.open(given, settings, undefined, async () => [source]);
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `1,${from + i},${2_000_000_000 + from + i}`);
}

/** The x of one step. */
async function step(pipeline: StreamPipeline, workers = 1): Promise<number[]> {
  const slots = slotsFor(pipeline as never, workers);
  await pipeline.nextStep(slots);
  return slots.flatMap((slot) => rowsOf(slot).map((row) => row.dense[0]));
}

describe('steps of a stream', () => {
  test('are cut by count, wait for records and end short with the stream', async () => {
    const source = new MemorySource({ a: numbers(0, 6) });
    const pipeline = await open(source);
    assert.deepEqual(await step(pipeline), [0, 1, 2, 3]);
    const next = step(pipeline);
    source.push('a', ...numbers(6, 9));
    assert.deepEqual(await next, [4, 5, 6, 7]);
    source.end();
    assert.deepEqual(await step(pipeline), [8]);
    assert.deepEqual(await step(pipeline), []);
    await pipeline.close();
  });

  test('are the same after a restart from any of their positions, over several partitions', async () => {
    const all = { a: numbers(0, 11), b: numbers(100, 107), c: numbers(200, 212) };
    const first = await open(new MemorySource(all, 3, true), {}, { order: 'round-robin' });
    const positions = [JSON.stringify(first.position)];
    const steps: number[][] = [];
    for (let got = await step(first); got.length > 0; got = await step(first)) {
      steps.push(got);
      positions.push(JSON.stringify(first.position));
    }
    await first.close();
    assert.deepEqual(steps.slice(0, 2), [
      [0, 100, 200, 1],
      [101, 201, 2, 102],
    ]);
    assert.equal(steps.flat().length, 30);
    for (let cut = 0; cut < steps.length; cut++) {
      // Other pieces come from the source: no matter.
      const again = await open(new MemorySource(all, 1 + cut, true), {}, { order: 'round-robin' });
      await again.seek(JSON.parse(positions[cut]));
      const rest: number[][] = [];
      for (let got = await step(again); got.length > 0; got = await step(again)) rest.push(got);
      assert.deepEqual(rest, steps.slice(cut));
      assert.equal(JSON.stringify(again.position), positions.at(-1));
      await again.close();
    }
  });

  test('take partitions as they come where that is asked for, each of them in order and once', async () => {
    const pipeline = await open(new MemorySource({ a: numbers(0, 9), b: numbers(100, 105) }, 2, true));
    const seen: number[] = [];
    for (let got = await step(pipeline, 2); got.length > 0; got = await step(pipeline, 2)) seen.push(...got);
    assert.deepEqual(
      seen.filter((x) => x < 100),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    assert.deepEqual(
      seen.filter((x) => x >= 100),
      [100, 101, 102, 103, 104],
    );
    assert.deepEqual(pipeline.position.stream?.partitions, { a: 9, b: 5 });
    await pipeline.close();
  });

  test('that wait too long are handed out short where that is asked for', async () => {
    const source = new MemorySource({ a: numbers(0, 2) });
    const pipeline = await open(source, {}, { flushMs: 5 });
    assert.deepEqual(await step(pipeline), [0, 1]);
    assert.deepEqual(pipeline.position.stream?.partitions, { a: 2 });
    await pipeline.close();
  });

  test('end where nothing came for too long', async () => {
    const pipeline = await open(new MemorySource({ a: numbers(0, 2) }), {}, { idleSeconds: 0.01 });
    assert.deepEqual(await step(pipeline), [0, 1]);
    assert.deepEqual(await step(pipeline), []);
    await pipeline.close();
  });

  test('leave bad records out up to the number allowed, and the error names their place', async () => {
    const lines = ['1,0,1', 'x,1,1', '1,2', '1,3,1', '', '1,4,1'];
    const lenient = await open(new MemorySource({ a: lines }, 6, true), { maxBadRecords: 2 });
    assert.deepEqual(await step(lenient), [0, 3, 4]);
    assert.equal(lenient.stats().badRecords, 2);
    assert.deepEqual(lenient.position.stream?.partitions, { a: 6 });
    await lenient.close();
    const strict = await open(new MemorySource({ a: lines.slice(0, 2) }, 6, true));
    await assert.rejects(step(strict), hasCode('DataFormat', /^a, line 2: label .*"x" is no finite number/));
    await strict.close();
    const limited = await open(new MemorySource({ a: lines }, 6, true), { maxBadRecords: 1 });
    await assert.rejects(step(limited), hasCode('TooManyBadRecords', /more than 1 bad records/));
    await limited.close();
  });

  test('know the times of their events, by a column or by arrival', async () => {
    const byColumn = await open(
      new MemorySource({ a: [...numbers(0, 2), '1,2,', '1,3,2026-11-29T08:00:00Z'] }, 9, true),
      {},
      { eventTime: 't' },
    );
    await step(byColumn);
    assert.deepEqual([...byColumn.stream.eventTimes], [2e12, 2e12 + 1000, Number.NaN, Date.UTC(2026, 10, 29, 8)]);
    await byColumn.close();
    const byArrival = await open(new MemorySource({ a: numbers(0, 4) }, 2, true), {}, { timed: true });
    await step(byArrival);
    assert.deepEqual([...byArrival.stream.eventTimes], [0, 0, 2000, 2000]);
    await byArrival.close();
    await assert.rejects(
      open(new MemorySource({}), {}, { eventTime: 'when' }),
      hasCode('InvalidConfig', /no column when; there are y, x, t/),
    );
    assert.deepEqual(
      [timeOf('1700000000'), timeOf('1700000000123'), timeOf('1700000000123456')],
      [1.7e12, 1700000000123, 1700000000123.456],
    );
  });

  test('tell sources of offsets only when a checkpoint with them is durable', async () => {
    const source = new MemorySource({ a: numbers(0, 9) });
    const pipeline = await open(source);
    await step(pipeline);
    const { position } = pipeline;
    await step(pipeline);
    assert.deepEqual(source.durableOffsets, []);
    await pipeline.stream.durable(position);
    assert.deepEqual(source.durableOffsets, [{ a: 4 }]);
    await pipeline.close();
  });
});

describe('records of other formats', () => {
  const read = async (records: StreamRecords, options: Partial<PipelineOptions>, settings: Partial<StreamOptions> = {}) => {
    let at: StreamRecords | null = records;
    const source: StreamSource = {
      name: 'memory',
      replays: true,
      compare: compareNumbers,
      open: async (host) => {
        const take = async () => {
          const given = at;
          at = null;
          return given;
        };
        host.add({ name: 'p', read: take });
      },
      close: async () => {},
    };
    const given = { files: ['kafka://b/t?group=g'], batchSize: 8, parseThreads: 0, ...options };
    const pipeline = await StreamPipeline.open(given, settings, undefined, async () => [source]);
    const [slot] = slotsFor(pipeline as never, 1);
    try {
      await pipeline.nextStep([slot]);
      return { rows: rowsOf(slot), position: pipeline.position.stream?.partitions };
    } finally {
      await pipeline.close();
    }
  };

  test('such as Instance come framed or bare; one that is no message is a bad record with its offset', async () => {
    const features = [{ name: 'user', type: 'categorical', column: 'fc_slot_5' }] as const;
    const schema: PipelineOptions['schema'] = { label: { column: 'label[0]' }, features };
    const instance = (label: number): Buffer =>
      Buffer.from(encodeMessage('Instance', { label: [label], fid: [makeFidV1(5, BigInt(label + 3))] }));
    const framing = { hasSortId: true, kafkaDump: true, kafkaDumpPrefix: false, lagrangexHeader: false };
    const messages = (values: readonly Uint8Array[]): Message[] => values.map((value, i) => ({ offset: String(i), timestamp: '5', value }));
    const common = { format: 'instance', schema } as const;
    const both = messages([instance(0), instance(1)]);
    const bare = recordsOfMessages('p', both, { kind: 'frames', framing: null }, { offset: 0, skip: 0 }, 1000);
    const ofBare = await read(bare as StreamRecords, { ...common, bareMessage: true });
    assert.deepEqual(
      ofBare.rows.map(({ label, bags }) => [label, bags]),
      [
        [0, [[fidV1ToV2(makeFidV1(5, 3n)).toString()]]],
        [1, [[fidV1ToV2(makeFidV1(5, 4n)).toString()]]],
      ],
    );
    const wrapped = messages([encodeFrame(instance(0), framing), Buffer.from('nonsense'), encodeFrame(instance(1), framing)]);
    const framed = recordsOfMessages('p', wrapped, { kind: 'frames', framing }, { offset: 0, skip: 0 }, 1000) as StreamRecords;
    const ofFramed = await read(framed, { ...common, framing, maxBadRecords: 1 });
    assert.deepEqual(ofFramed, { rows: ofBare.rows, position: { p: 3 } });
    await assert.rejects(read(framed, { ...common, framing }), hasCode('DataFormat', /^p, offset 1: .*hasSortId and kafkaDump/));
  });

  test('such as lines of Vowpal Wabbit', async () => {
    const schema: PipelineOptions['schema'] = { label: { column: 'label' }, features: [{ name: 'a', type: 'categorical', maxLength: 3 }] };
    const bytes = Buffer.from('1 |a x y\n0 |a y\n');
    const records = countedLines('p', { bytes, ends: lineEnds(bytes, bytes.length) }, 0, 0);
    const { rows } = await read(records, { format: 'vw', schema });
    assert.deepEqual(
      rows.map(({ label, bags }) => [label, bags[0].length]),
      [
        [1, 2],
        [0, 1],
      ],
    );
    assert.equal(rows[0].bags[0][1], rows[1].bags[0][0]);
  });

  test('such as lines of JSON', async () => {
    const schema: PipelineOptions['schema'] = { label: { column: 'y' }, features: [{ name: 'x', type: 'numeric' }] };
    const bytes = Buffer.from('{"y": 1, "x": 2.5}\n{"x": 7, "y": 0}\n');
    const records = countedLines('p', { bytes, ends: lineEnds(bytes, bytes.length) }, 0, 0);
    const { rows } = await read(records, { format: 'jsonl', schema });
    assert.deepEqual(
      rows.map(({ label, dense }) => [label, dense]),
      [
        [1, [2.5]],
        [0, [7]],
      ],
    );
  });
});

describe('what cannot be asked for again', () => {
  const host = (source: StreamSource, positions = new Map()): Promise<TestHost> => new TestHost(source, positions).open();

  test('is read from standard input to its end, a last line without an end included', async () => {
    const input = new PassThrough();
    const source = new InputLines(input, 1000);
    const reader = await host(source);
    input.write('a\nb');
    input.end('c\nd');
    assert.deepEqual(await reader.take(9), ['a', 'bc', 'd']);
    assert.equal(reader.positions.get('-'), 3);
    await source.close();
  });

  test('is read from a connection, which is made anew where it is lost; half a line is then given up, and said so', async () => {
    const peers: Socket[] = [];
    const server = createServer((socket) => {
      peers.push(socket);
      socket.write(peers.length === 1 ? 'a\nb\nhal' : 'c\n');
      if (peers.length === 1) setImmediate(() => socket.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const source = new TcpLines('127.0.0.1', port, 1000);
    const reader = await host(source, new Map([[`tcp://127.0.0.1:${port}`, 7]]));
    assert.deepEqual(await reader.take(3), ['a', 'b', 'c']);
    assert.equal(reader.positions.get(source.name), 10);
    assert.match(reader.notes[0], /7 lines were read before; what was sent meanwhile cannot be asked for again/);
    assert.match(reader.notes.join('\n'), /connection was lost, and with it the 3 bytes of a line/);
    await source.close();
    for (const peer of peers) peer.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('is held back at the sender while nobody reads', async () => {
    const input = new PassThrough();
    const source = new InputLines(input, 1 << 20);
    const reader = await host(source);
    const line = `${'x'.repeat(65_535)}\n`;
    let written = 0;
    while (input.write(line) || !input.isPaused()) {
      written++;
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(written < 200, 'it never stopped');
    }
    input.end();
    assert.equal((await reader.take(written + 9)).length, written + 1);
    await source.close();
  });
});

describe('messages of a topic', () => {
  const message = (offset: number, value: Uint8Array | string | null) => ({
    offset: String(offset),
    timestamp: '5',
    value: typeof value === 'string' ? Buffer.from(value) : value,
  });

  test('of lines hold one record or several, and reading goes on in the middle of one', () => {
    const messages = [message(3, 'a'), message(4, null), message(5, 'b\nc\r\n\nd\n'), message(7, 'e\n')];
    const records = recordsOfMessages('p', messages, { kind: 'lines' }, { offset: 0, skip: 0 }, 1000);
    assert.equal(Buffer.from(records?.bytes ?? []).toString(), 'a\nb\nc\r\nd\ne\n');
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((i) => records?.offsetAfter(i)),
      [4, [5, 1], [5, 2], 6, 8],
    );
    const rest = recordsOfMessages('p', messages, { kind: 'lines' }, { offset: 5, skip: 2 }, 1000);
    assert.equal(Buffer.from(rest?.bytes ?? []).toString(), 'd\ne\n');
  });

  test('of Monolith become examples, with and without framing; what is no frame is a bad record that names its offset', async () => {
    const example = (label: number): Uint8Array => Buffer.from(encodeMessage('Instance', { label: [label], feature: [] }));
    const bare = recordsOfMessages('p', [message(1, example(1))], { kind: 'frames', framing: null }, { offset: 0, skip: 0 }, 1000);
    assert.equal(bare?.count, 1);
    assert.equal(bare?.bytes.length, example(1).length + 8);
    const framing = { hasSortId: false, kafkaDump: true, kafkaDumpPrefix: false, lagrangexHeader: false };
    const broken = recordsOfMessages('p', [message(9, 'short')], { kind: 'frames', framing }, { offset: 0, skip: 0 }, 1000);
    assert.equal(broken?.count, 1);
    assert.match(broken?.placeOf(0) ?? '', /p, offset 9: the file ends inside the record.*kafkaDump/);
  });
});

describe('names of sources', () => {
  const context = {
    options: {
      order: 'arrival',
      start: 'earliest',
      lost: 'fail',
      idleSeconds: 0,
      flushMs: 0,
      eventTime: null,
      timed: false,
      sessionTimeoutMs: 1000,
    },
    maxRecordBytes: 1000,
    isHeader: () => false,
    form: { kind: 'lines' },
  } as const;

  test('that make no sense are errors that say what is expected', async () => {
    await assert.rejects(sourceOf('tcp://here', context), hasCode('InvalidConfig', /tcp:\/\/host:port/));
    await assert.rejects(sourceOf('kafka://b:1', context), hasCode('InvalidConfig', /topic\+topic\?group=name/));
    await assert.rejects(sourceOf('kafka://b:1/t', context), hasCode('InvalidConfig', /no consumer group/));
    await assert.rejects(sourceOf('kafka://b:1/t?group=g&color=red', context), hasCode('InvalidConfig', /unknown parameter color/));
    await assert.rejects(sourceOf('kafka://b:1/t!?group=g', context), hasCode('InvalidConfig', /no name of a topic/));
    await assert.rejects(sourceOf('tail:', context), hasCode('InvalidConfig', /path of a file/));
    const late = { ...context, options: { ...context.options, start: 'committed' } } as const;
    await assert.rejects(sourceOf('tail:x', late), hasCode('InvalidConfig', /earliest or latest/));
    const frames = { ...context, form: { kind: 'frames', framing: null } } as const;
    await assert.rejects(sourceOf('tail:x', frames), hasCode('InvalidConfig', /messages of Kafka/));
    assert.equal((await sourceOf('kafka://a+b:99/t+u?group=g', context)).name, 'kafka://a:9092+b:99/t+u');
  });

  test('need a format that can be known before anything came', async () => {
    const given = { files: ['tcp://h:1'], schema } as const;
    await assert.rejects(StreamPipeline.open(given), hasCode('InvalidConfig', /name it with --format/));
    await assert.rejects(StreamPipeline.open({ ...given, format: 'tfrecord' }), hasCode('InvalidConfig', /cannot be read as a stream/));
    await assert.rejects(StreamPipeline.open({ ...given, files: ['-', '-'], format: 'csv' }), hasCode('InvalidConfig', /named twice/));
    const folder = temporaryFolder();
    const path = write(folder, 'a.csv', 'y,x,t\n1,2,3\n');
    const pipeline = await StreamPipeline.open({ files: [`tail:${path}`], schema, batchSize: 2, parseThreads: 0 });
    const got = step(pipeline);
    appendFileSync(path, '1,5,3\n');
    assert.deepEqual(await got, [2, 5]);
    await pipeline.close();
  });
});
