import assert from 'node:assert/strict';
import { createConnection, createServer, type Server as TcpServer } from 'node:net';
import { after, describe, test } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MonolithError, SeededRandom } from '../../src/base/index.js';
import {
  openStream,
  ROOM_BYTES,
  RpcChannel,
  type RpcDuplex,
  RpcServer,
  type RpcServerOptions,
  type RpcService,
} from '../../src/grpc/index.js';
import { rawMethod } from '../../src/grpc/server-calls.js';
import { MessageDeframer, PREFIX_BYTES, writePrefix } from '../../src/grpc/stream/message-deframer.js';
import { bearsStreamMark, peekStreamMark } from '../../src/grpc/stream/stream-mark.js';
import { rpcMessages } from '../../src/ps-rpc/index.js';
import { TestAuthority } from '../helpers/certificates.js';
import { waitUntil } from '../helpers/wait-until.js';

const connectMs = 5000;
const sizes = [0, 1, 5, 16_384, 65_536, 1 << 18, 3 << 20, 0, 7];

let handled = 0;
const service: RpcService = {
  name: 'test.Stream',
  unary: { Plain: (request) => request },
  duplex: {
    Echo: (stream) => {
      handled++;
      stream.onMessage((message) => stream.write(Buffer.from(message)));
      stream.onEnd(() => stream.end());
    },
    Answer: (stream) => {
      const duplex = rpcMessages(stream, 'server');
      duplex.onMessage = (message) => {
        handled++;
        duplex.send(Buffer.from(message));
      };
    },
    Fail: (stream) => stream.fail(new MonolithError('FailedPrecondition', 'not now: déjà vu', { when: 'later' })),
    Late: (stream) => {
      stream.write(Buffer.from('first'));
      stream.onMessage(() => stream.fail(new MonolithError('TableFull', 'table "t": full', { rows: 3 })));
    },
    Open: () => {},
  },
};

const closed = (stream: RpcDuplex) => new Promise<MonolithError | null>((resolve) => stream.onClose((error) => resolve(error as never)));

async function withServer(options: Partial<RpcServerOptions>, run: (server: RpcServer, log: string[]) => Promise<void>): Promise<void> {
  const log: string[] = [];
  const server = await RpcServer.start({ services: [service], log: (line) => log.push(line), ...options });
  try {
    await run(server, log);
  } finally {
    await server.close(0);
  }
}

/** Sends messages of all sizes, with and without room for the prefix, and expects each back. */
async function echo(stream: RpcDuplex): Promise<void> {
  const back: Buffer[] = [];
  stream.onMessage((message) => back.push(Buffer.from(message)));
  let sent = 0;
  for (const [i, size] of sizes.entries()) {
    const framed = new Uint8Array(size + ROOM_BYTES).fill(i + 1);
    if (i % 2 === 0) stream.write(framed.subarray(ROOM_BYTES), () => sent++, framed);
    else stream.write(framed.subarray(ROOM_BYTES), () => sent++);
  }
  stream.end();
  assert.equal(await closed(stream), null);
  assert.deepEqual(
    back.map(({ length }) => length),
    sizes,
  );
  for (const [i, message] of back.entries()) assert.ok(message.every((byte) => byte === i + 1));
}

const listening: TcpServer[] = [];
after(() => {
  for (const server of listening) server.close();
});
async function listen(server: TcpServer): Promise<string> {
  listening.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
}

describe('streams of our own endpoint', () => {
  test('carry messages in order, both ways, end regularly, and share the port with every other call', () =>
    withServer({}, async (server) => {
      await echo(await openStream(server.address, '/test.Stream/Echo', { connectMs }));
      const channel = new RpcChannel(server.address);
      assert.equal((await channel.unary('/test.Stream/Plain', new Uint8Array(3), { deadlineMs: 5000 })).message.length, 3);
      await echo(channel.duplex('/test.Stream/Echo'));
      channel.close();
      await waitUntil('connections end', () => server.connections === 0, 5000);
    }));

  test('a client of grpc-js gets the same streams through the same port, and their errors', () =>
    withServer({}, async (server) => {
      const channel = new RpcChannel(server.address);
      await echo(channel.duplex('/test.Stream/Echo'));
      const failed = await closed(channel.duplex('/test.Stream/Fail'));
      assert.equal(failed?.code, 'FailedPrecondition');
      assert.match(failed.message, /not now: déjà vu/);
      assert.deepEqual(failed.details.when, 'later');
      await assert.rejects(channel.unary('/test.Stream/None', new Uint8Array(1), { deadlineMs: 5000 }), { code: 'Unimplemented' });
      channel.close();
      await waitUntil('connections end', () => server.connections === 0, 5000);
    }));

  test('our client gets through to a server of grpc-js', async () => {
    const server = new Server();
    const method = rawMethod('/test.Stream/Echo', true);
    server.addService({ Echo: method }, {
      Echo: (call: { on: (event: string, listener: (message: Buffer) => void) => void; write(m: Buffer): void; end(): void }) => {
        call.on('data', (message) => call.write(message));
        call.on('end', () => call.end());
      },
    } as never);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    await echo(await openStream(`127.0.0.1:${port}`, '/test.Stream/Echo', { connectMs }));
    assert.equal((await closed(await openStream(`127.0.0.1:${port}`, '/test.Stream/None', { connectMs })))?.code, 'Unimplemented');
    server.forceShutdown();
  });

  test('much in both directions at once does not stop', () =>
    withServer({}, async (server) => {
      const stream = await openStream(server.address, '/test.Stream/Echo', { connectMs });
      const message = new Uint8Array(1 << 20);
      let back = 0;
      stream.onMessage(({ length }) => {
        back += length;
      });
      for (let i = 0; i < 48; i++) stream.write(message);
      stream.end();
      assert.equal(await closed(stream), null);
      assert.equal(back, 48 << 20);
    }));

  test('a client that asks and does not listen is not read either; when it listens, everything comes', () =>
    withServer({}, async (server) => {
      const stream = await openStream(server.address, '/test.Stream/Answer', { connectMs });
      let back = 0;
      stream.onMessage(() => back++);
      stream.pause();
      handled = 0;
      for (let i = 0; i < 128; i++) stream.write(new Uint8Array(1 << 20));
      let before = -1;
      await waitUntil(
        'the server stops to read',
        async () => {
          const still = handled === before && handled > 0;
          before = handled;
          await new Promise((resolve) => setTimeout(resolve, 300));
          return still;
        },
        10_000,
      );
      assert.ok(handled < 64, `${handled} of 128 MiB were taken from a client that does not read`);
      stream.resume();
      await waitUntil('all answers', () => back === 128, 10_000);
      stream.end();
      assert.equal(await closed(stream), null);
    }));

  test('errors name the peer and keep code and details, before and after messages', () =>
    withServer({}, async (server) => {
      const failed = await closed(await openStream(server.address, '/test.Stream/Fail', { connectMs }));
      assert.equal(failed?.code, 'FailedPrecondition');
      assert.match(failed.message, /not now: déjà vu/);
      assert.equal(failed.details.when, 'later');
      const late = await openStream(server.address, '/test.Stream/Late', { connectMs });
      late.onMessage(() => late.write(new Uint8Array(1)));
      const full = await closed(late);
      assert.equal(full?.code, 'TableFull');
      assert.ok(full.message.startsWith(server.address));
      assert.equal((await closed(await openStream(server.address, '/test.Stream/None', { connectMs })))?.code, 'Unimplemented');
      const cancelled = await openStream(server.address, '/test.Stream/Open', { connectMs });
      cancelled.fail(new MonolithError('Cancelled', 'enough'));
      assert.equal((await closed(cancelled))?.message, 'enough');
      await waitUntil('connections end', () => server.connections === 0, 5000);
    }));

  test('a server that closes lets streams end, then cuts them off: Unavailable', async () => {
    const server = await RpcServer.start({ services: [service] });
    const stream = await openStream(server.address, '/test.Stream/Open', { connectMs });
    stream.write(new Uint8Array(10));
    const end = closed(stream);
    await server.close(50);
    assert.equal((await end)?.code, 'Unavailable');
    await assert.rejects(openStream(server.address, '/test.Stream/Open', { connectMs }), { code: 'Unavailable' });
  });

  test('whoever does not answer is given up: at the connection within its time, later by keep-alive', async () => {
    const silent = await listen(createServer(() => {}));
    await assert.rejects(openStream(silent, '/test.Stream/Open', { connectMs: 100 }), /no connection within 100 ms/);
    await withServer({}, async (server) => {
      let cut = (): void => {};
      const between = await listen(
        createServer((socket) => {
          const upstream = createConnection(server.port, '127.0.0.1');
          socket.pipe(upstream);
          upstream.pipe(socket);
          for (const side of [socket, upstream]) side.on('error', () => {});
          cut = () => {
            for (const side of [socket, upstream]) side.unpipe().on('data', () => {});
          };
        }),
      );
      const stream = await openStream(between, '/test.Stream/Open', { connectMs, keepAliveMs: 200, keepAliveTimeoutMs: 200 });
      cut();
      assert.equal((await closed(stream))?.code, 'Unavailable');
    });
  });
});

describe('the gate of our own endpoint', () => {
  test('S4 messages beyond the limit, calls beyond the limit', () =>
    withServer({ limits: { messageBytes: 1000, concurrentCalls: 1 } }, async (server) => {
      const stream = await openStream(server.address, '/test.Stream/Echo', { connectMs });
      let back = 0;
      const here = new Promise<void>((resolve) => {
        stream.onMessage(({ length }) => {
          back = length;
          resolve();
        });
      });
      stream.write(new Uint8Array(1000));
      await here;
      assert.equal(back, 1000);
      const second = await closed(await openStream(server.address, '/test.Stream/Echo', { connectMs }));
      assert.equal(second?.code, 'ResourceExhausted');
      stream.write(new Uint8Array(1001));
      const error = await closed(stream);
      assert.equal(error?.code, 'ResourceExhausted');
      assert.match(error.message, /1001 bytes.*1000/);
      const small = await openStream(server.address, '/test.Stream/Echo', { connectMs, messageBytes: 10 });
      small.write(new Uint8Array(11));
      assert.equal((await closed(small))?.code, 'ResourceExhausted');
    }));

  test('S2 a token is demanded before the handler runs', () =>
    withServer({ security: { token: 'canary-3f8a9b-secret-token' } }, async (server, log) => {
      handled = 0;
      const error = await closed(await openStream(server.address, '/test.Stream/Echo', { connectMs }));
      assert.equal(error?.code, 'Unauthenticated');
      const token = 'another-token-of-some-length';
      assert.equal(
        (await closed(await openStream(server.address, '/test.Stream/Echo', { connectMs, security: { token } })))?.code,
        'Unauthenticated',
      );
      assert.equal(handled, 0);
      await echo(await openStream(server.address, '/test.Stream/Echo', { connectMs, security: { token: 'canary-3f8a9b-secret-token' } }));
      assert.doesNotMatch(log.join(), /canary/);
    }));

  test('S1 TLS: who trusts and shows the right certificates gets through, nobody else', async () => {
    const [authority, stranger] = [new TestAuthority(), new TestAuthority('stranger')];
    try {
      const good = authority.issue();
      await withServer({ security: { tls: { ...good, clientCaFile: authority.caFile } } }, async (server) => {
        const { caFile } = authority;
        const open = (tls?: object) =>
          openStream(server.address, '/test.Stream/Echo', { connectMs, security: tls === undefined ? {} : { tls } });
        await echo(await open({ caFile, ...authority.issue() }));
        handled = 0;
        const refused = async (wrong: object | undefined): Promise<void> => {
          // TLS 1.3 lets a client believe for a moment that its certificate was taken.
          const error = await open(wrong).then(closed, (reason: MonolithError) => reason);
          assert.equal(error?.code, 'Unavailable', JSON.stringify(wrong));
          assert.doesNotMatch(String(error?.message), /within \d+ ms/, 'a refusal is heard of, not waited for');
        };
        const theirs = { caFile, ...stranger.issue() };
        const trustsThem = { caFile: stranger.caFile, ...authority.issue() };
        await Promise.all([undefined, {}, { caFile }, theirs, trustsThem].map(refused));
        assert.equal(handled, 0);
      });
      const other = authority.issue('DNS:other.example');
      await withServer({ security: { tls: other } }, async (server) => {
        const open = (serverName?: string) =>
          openStream(server.address, '/test.Stream/Echo', {
            connectMs,
            security: { tls: { caFile: authority.caFile, ...(serverName !== undefined && { serverName }) } },
          });
        await assert.rejects(open(), { code: 'Unavailable' });
        await echo(await open('other.example'));
      });
    } finally {
      authority.remove();
      stranger.remove();
    }
  });

  test('S3 plain text to another machine needs to be allowed', async () => {
    await assert.rejects(openStream('192.0.2.1:1', '/test.Stream/Echo', { connectMs }), { code: 'InvalidConfig' });
  });

  test('a connection that sends no settings is told apart by nobody, and closed', async () => {
    let verdict = '';
    const address = await listen(
      createServer((socket) => {
        peekStreamMark(socket, 200, {
          marked: () => {},
          other: () => {},
          silent: () => {
            verdict = 'silent';
            socket.destroy();
          },
        });
      }),
    );
    const socket = createConnection(Number(address.split(':')[1]), '127.0.0.1');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0');
    await new Promise((resolve) => socket.on('close', resolve).resume());
    assert.equal(verdict, 'silent');
  });

  test('the mark is found in settings that are whole, at whatever place', () => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const marked = Buffer.concat([preface, Buffer.from([0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0x4d, 0x4c, 0, 0, 0, 2, 9, 9])]);
    const whole = marked.length - 2;
    for (let length = 0; length <= marked.length; length++) {
      assert.equal(bearsStreamMark(marked.subarray(0, length)), length >= whole ? true : null, `${length} bytes`);
    }
    const other = Buffer.from(marked);
    other[whole - 1] = 1;
    assert.equal(bearsStreamMark(other), false);
    other.writeUIntBE(4096, preface.length, 3);
    assert.equal(bearsStreamMark(other), false);
    assert.equal(bearsStreamMark(Buffer.from('GET / HTTP/1.1')), false);
  });
});

test('messages are the same however their bytes are cut', () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 60; round++) {
    const lengths = Array.from({ length: 12 }, () => (random.nextBelow(4) === 0 ? 0 : random.nextBelow(300_000 >> random.nextBelow(12))));
    const wire = Buffer.concat(
      lengths.map((length, i) => {
        const framed = new Uint8Array(length + PREFIX_BYTES).fill(i);
        writePrefix(framed, 0, length);
        return framed;
      }),
    );
    const seen: number[] = [];
    const deframer = new MessageDeframer(-1, (message) => {
      assert.ok(message.every((byte) => byte === seen.length));
      seen.push(message.length);
    });
    for (let at = 0; at < wire.length; ) {
      const size = 1 + random.nextBelow(random.nextBelow(2) === 0 ? 20 : 100_000);
      deframer.push(wire.subarray(at, at + size));
      at += size;
    }
    assert.deepEqual(seen, lengths);
    assert.ok(deframer.empty);
  }
});
