import assert from 'node:assert/strict';
import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type MonolithError, SeededRandom } from '../../src/base/index.js';
import { openStream, type RpcDuplex, RpcServer, type RpcService } from '../../src/grpc/index.js';
import { STREAM_WINDOW } from '../../src/grpc/stream/connection.js';
import { encodeFields } from '../../src/grpc/stream/header-block.js';
import {
  Flag,
  FRAME_SIZE,
  FrameType,
  frameOf,
  goAway,
  ourSettings,
  PREFACE,
  Reason,
  STREAM_MARK_SETTING,
  STREAM_MARK_VALUE,
  words,
} from '../../src/grpc/stream/wire-format.js';
import { conversation, data, message, opening, RawClient, recorder, request } from '../helpers/raw-stream.js';
import { waitUntil } from '../helpers/wait-until.js';

const connectMs = 5000;
const MIB = 1 << 20;

const service: RpcService = {
  name: 'test.Wire',
  duplex: {
    Echo: (stream) => {
      stream.onMessage((message) => stream.write(Buffer.from(message)));
      stream.onEnd(() => stream.end());
    },
    Deaf: (stream) => stream.pause(),
    Flood: (stream) => {
      for (let i = 0; i < 64; i++) stream.write(new Uint8Array(MIB));
      stream.onEnd(() => stream.end());
    },
  },
};

let server: RpcServer;
let listening: TcpServer[] = [];
before(async () => {
  server = await RpcServer.start({ services: [service], limits: { messageBytes: 1000_000 } });
});
after(async () => {
  for (const one of listening) one.close();
  listening = [];
  await server.close(0);
});

async function listen(take: (socket: Socket) => void): Promise<string> {
  const one = createServer(take);
  listening.push(one);
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  const bound = one.address();
  return `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
}

const closed = (stream: RpcDuplex) => new Promise<MonolithError | null>((resolve) => stream.onClose((error) => resolve(error as never)));

describe('a server of streams', () => {
  test('takes a conversation byte by byte, and answers a ping with its bytes', async () => {
    const client = new RawClient(server.port);
    client.socket.setNoDelay(true);
    for (const byte of conversation()) client.socket.write(Buffer.of(byte));
    await waitUntil(
      'trailers',
      () => client.frames.some(({ type, flags }) => type === FrameType.headers && (flags & Flag.endStream) !== 0),
      5000,
    );
    const echoed = client
      .of(FrameType.data)
      .map(({ payload }) => payload)
      .join('');
    assert.equal(echoed, Buffer.concat([message(0), message(300), message(40)]).toString('latin1'));
    assert.deepEqual(client.of(FrameType.ping), [
      { type: FrameType.ping, flags: Flag.ack, stream: 0, payload: words(5, 6).toString('latin1') },
    ]);
    client.socket.destroy();
  });

  test('ends a connection that breaks the rules, with the code that says which', async () => {
    const setting = (name: number, value: number): Buffer => {
      const bytes = Buffer.alloc(12);
      bytes.writeUInt16BE(name, 0);
      bytes.writeUInt32BE(value, 2);
      bytes.writeUInt16BE(STREAM_MARK_SETTING, 6);
      bytes.writeUInt32BE(STREAM_MARK_VALUE, 8);
      return Buffer.concat([PREFACE, frameOf(FrameType.settings, 0, 0, bytes)]);
    };
    const cases: [string, Buffer[], number][] = [
      ['data before headers', [opening(), data(words(0))], Reason.protocol],
      ['headers twice', [opening(), request(), request()], Reason.protocol],
      ['headers in pieces', [opening(), frameOf(FrameType.headers, 0, 1, encodeFields([[':method', 'POST']]))], Reason.protocol],
      ['compressed headers', [opening(), frameOf(FrameType.headers, Flag.endHeaders, 1, Buffer.of(0x82, 0x84))], Reason.compression],
      ['data behind the end', [opening(), request(), data(message(1), Flag.endStream), data(message(1))], Reason.closed],
      ['settings twice', [opening(), ourSettings('client', 1)], Reason.protocol],
      ['a window beyond 2^31', [setting(4, 2 ** 31)], Reason.flowControl],
      ['frames below 16 KiB', [setting(5, 100)], Reason.protocol],
      ['an update by nothing', [opening(), frameOf(FrameType.windowUpdate, 0, 0, words(0))], Reason.flowControl],
      ['an update beyond 2^31', [opening(), frameOf(FrameType.windowUpdate, 0, 0, words(2 ** 31 - 1))], Reason.flowControl],
      ['two acknowledgements', [opening(), ...[1, 2].map(() => frameOf(FrameType.settings, Flag.ack, 0))], Reason.protocol],
      ['a reset of nothing', [opening(), frameOf(FrameType.reset, 0, 1, words(8))], Reason.protocol],
    ];
    await Promise.all(
      cases.map(async ([name, parts, reason]) => assert.equal(await new RawClient(server.port).send(...parts).refusal(), reason, name)),
    );
    await waitUntil('connections end', () => server.connections === 0, 5000);
  });

  test('lives through damaged conversations', async () => {
    const random = new SeededRandom(5);
    const good = conversation();
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const bytes = Buffer.from(good);
          // Behind the mark: what goes to this server at all.
          for (let hits = 1 + random.nextBelow(4); hits > 0; hits--)
            bytes[PREFACE.length + 45 + random.nextBelow(good.length - PREFACE.length - 45)] = random.nextBelow(256);
          const client = new RawClient(server.port);
          client.socket.end(bytes.subarray(0, random.nextBelow(2) === 0 ? bytes.length : random.nextBelow(bytes.length)));
          await client.closed;
        }),
      );
    }
    await waitUntil('connections end', () => server.connections === 0, 5000);
    const stream = await openStream(server.address, '/test.Wire/Echo', { connectMs });
    stream.end();
    assert.equal(await closed(stream), null);
  });

  test('sends no more than the window, and goes on when there is room', async () => {
    const client = new RawClient(server.port).send(opening(100), request(), data(message(1000)));
    const here = (): number => client.of(FrameType.data).reduce((sum, { payload }) => sum + payload.length, 0);
    await waitUntil('the window is full', () => here() === 100, 5000);
    // An answer that comes behind all that was sent before it.
    client.send(frameOf(FrameType.ping, 0, 0, words(1, 1)));
    await waitUntil('the ping is answered', () => client.of(FrameType.ping).length === 1, 5000);
    assert.equal(here(), 100);
    client.send(frameOf(FrameType.windowUpdate, 0, 1, words(5)), frameOf(FrameType.ping, 0, 0, words(1, 2)));
    await waitUntil('the ping is answered', () => client.of(FrameType.ping).length === 2, 5000);
    assert.equal(here(), 105);
    client.send(frameOf(FrameType.windowUpdate, 0, 1, words(5000)));
    await waitUntil('all is here', () => here() === 1005, 5000);
    client.socket.destroy();
  });

  test('holds a window of what its handler does not want, and refuses more', async () => {
    const client = new RawClient(server.port).send(opening(), request('/test.Wire/Deaf'));
    for (let left = STREAM_WINDOW; left > 0; left -= FRAME_SIZE / 2) client.send(data(new Uint8Array(FRAME_SIZE / 2)));
    client.send(frameOf(FrameType.ping, 0, 0, words(1, 1)));
    await waitUntil('the ping is answered', () => client.of(FrameType.ping).length === 1, 5000);
    assert.deepEqual(
      client.of(FrameType.windowUpdate).filter(({ stream }) => stream === 1),
      [],
    );
    assert.equal(await client.send(data(new Uint8Array(1))).refusal(), Reason.flowControl);
  });

  test('cuts off who asks for answers and does not read them', async () => {
    const client = new RawClient(server.port).send(
      opening(),
      request('/test.Wire/Flood'),
      frameOf(FrameType.windowUpdate, 0, 1, words(1 << 30)),
      frameOf(FrameType.windowUpdate, 0, 0, words(1 << 30)),
    );
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frameOf(FrameType.ping, 0, 0, words(1, 1))));
    let cut = false;
    void client.closed.then(() => {
      cut = true;
    });
    for (let i = 0; i < 50 && !cut; i++) {
      client.socket.write(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    await client.closed;
    await waitUntil('connections end', () => server.connections === 0, 5000);
  });
});

describe('a client of streams', () => {
  test('and a server that both write 64 MiB at once get through', async () => {
    const stream = await openStream(server.address, '/test.Wire/Flood', { connectMs });
    let back = 0;
    stream.onMessage(({ length }) => {
      back += length;
    });
    let sent = 0;
    for (let i = 0; i < 128; i++) stream.write(new Uint8Array(MIB / 2), () => sent++);
    stream.end();
    assert.equal(await closed(stream), null);
    assert.equal(back, 64 * MIB);
    assert.equal(sent, 128);
  });

  /** A server by hand that sends this once it has the request. */
  const answering = (...parts: Uint8Array[]): Promise<string> =>
    listen((socket) => {
      const { receiver, frames } = recorder();
      let skip = PREFACE.length;
      socket.on('error', () => {}).write(ourSettings('server', STREAM_WINDOW));
      socket.on('data', (chunk: Buffer) => {
        receiver.push(chunk.subarray(skip));
        skip = 0;
        if (frames.some(({ type }) => type === FrameType.headers) && parts.length > 0) socket.write(Buffer.concat(parts.splice(0)));
      });
    });
  const response = frameOf(
    FrameType.headers,
    Flag.endHeaders,
    1,
    encodeFields([
      [':status', '200'],
      ['content-type', 'application/grpc'],
    ]),
  );
  const trailers = frameOf(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, encodeFields([['grpc-status', '0']]));

  test('gives a typed error that names the peer for what no server of ours sends', async () => {
    const cases: [string, Buffer[], string, RegExp][] = [
      ['garbage', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], 'RecordCorrupt', /type 47|frame/],
      [
        'data before headers of 16 MiB',
        [frameOf(FrameType.data, 0, 1, new Uint8Array(5)).fill(255, 0, 3)],
        'RecordCorrupt',
        /16777215 bytes/,
      ],
      ['a push', [frameOf(5, Flag.endHeaders, 1, words(2))], 'RecordCorrupt', /type 5/],
      ['headers three times', [response, response], 'RecordCorrupt', /second time/],
      ['an end within a message', [response, data(message(9).subarray(0, 8)), trailers], 'Unavailable', /within a message/],
      ['an end without a status', [response, data(message(9), Flag.endStream)], 'Unavailable', /without a status/],
      ['a compressed message', [response, data(Buffer.of(1, 0, 0, 0, 1, 0))], 'Unimplemented', /compressed/],
      ['a reset', [response, frameOf(FrameType.reset, 0, 1, words(Reason.calm))], 'ResourceExhausted', /code 11/],
      ['a farewell with a reason', [response, goAway(0, Reason.calm, 'too much')], 'Unavailable', /code 11: too much/],
      ['a farewell before the stream', [goAway(0, Reason.none, '')], 'Unavailable', /dropped/],
    ];
    for (const [name, parts, code, text] of cases) {
      const address = await answering(...parts);
      const error = await closed(await openStream(address, '/test.Wire/Echo', { connectMs }));
      assert.equal(error?.code, code, `${name}: ${error?.message}`);
      assert.ok(error.message.startsWith(address) || code === 'Unimplemented', error.message);
      assert.match(error.message, text, name);
    }
  });

  test('goes on with its stream when the server says that it takes no other', async () => {
    const address = await answering(goAway(1, Reason.none, ''), response, data(message(3)), trailers);
    const stream = await openStream(address, '/test.Wire/Echo', { connectMs });
    let seen = 0;
    stream.onMessage(({ length }) => {
      seen += length;
    });
    assert.equal(await closed(stream), null);
    assert.equal(seen, 3);
    const leaving = await RpcServer.start({ services: [service] });
    const echo = await openStream(leaving.address, '/test.Wire/Echo', { connectMs });
    const back = new Promise<void>((resolve) => echo.onMessage(() => resolve()));
    echo.write(new Uint8Array(1));
    await back;
    const over = leaving.close(5000);
    const again = new Promise<void>((resolve) => echo.onMessage(() => resolve()));
    echo.write(new Uint8Array(2));
    await again;
    echo.end();
    assert.equal(await closed(echo), null);
    await over;
  });

  test('reads by name of the host, too', async () => {
    const stream = await openStream(`localhost:${server.port}`, '/test.Wire/Echo', { connectMs });
    const back = new Promise<number>((resolve) => stream.onMessage(({ length }) => resolve(length)));
    stream.write(new Uint8Array(500_000));
    assert.equal(await back, 500_000);
    stream.end();
    assert.equal(await closed(stream), null);
  });
});
