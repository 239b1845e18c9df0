import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError, monotonicMs } from '../../src/base/index.js';
import { RpcChannel, type RpcDuplex, RpcServer, type RpcService } from '../../src/grpc/index.js';

const echo: RpcService = {
  name: 'test.Echo',
  unary: {
    Echo: (request) => request,
    Later: (request) => Promise.resolve(request),
    Refuse: () => {
      throw new MonolithError('TableFull', 'table "t": full', { rows: 3 });
    },
    Break: () => {
      throw new Error('secret reason');
    },
    Never: (_request, call) =>
      new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(new MonolithError('Cancelled', 'gone')))),
    Header: (_request, call) => {
      call.setHeader('answer', `${call.header('question') ?? ''}!`);
      return Buffer.from(String(Math.round(call.deadlineMs - monotonicMs())));
    },
  },
  duplex: {
    Double: (stream) => {
      stream.onMessage((message) => {
        stream.write(message);
        stream.write(message);
      });
      stream.onEnd(() => stream.end());
    },
    Fail: (stream) => stream.fail(new MonolithError('FailedPrecondition', 'not now', { when: 'later' })),
  },
};

async function withServer(run: (server: RpcServer, channel: RpcChannel, log: string[]) => Promise<void>): Promise<void> {
  const log: string[] = [];
  const server = await RpcServer.start({ services: [echo], log: (line) => log.push(line) });
  const channel = new RpcChannel(server.address);
  try {
    await run(server, channel, log);
  } finally {
    channel.close();
    await server.close(0);
  }
}

function closed(stream: RpcDuplex): Promise<Error | null> {
  return new Promise((resolve) => stream.onClose(resolve));
}

describe('calls', () => {
  test('bytes go there and back, 32 MiB in one message too', () =>
    withServer(async (_server, channel) => {
      await channel.ready(5000);
      for (const length of [0, 1, 32 << 20]) {
        const bytes = new Uint8Array(length).fill(7);
        const { message } = await channel.unary(length === 1 ? '/test.Echo/Later' : '/test.Echo/Echo', bytes, { deadlineMs: 10_000 });
        assert.equal(Buffer.compare(message, bytes), 0);
      }
    }));

  test("an error keeps its code and details and names the peer; a defect's text stays in the server's log", () =>
    withServer(async (server, channel, log) => {
      await assert.rejects(channel.unary('/test.Echo/Refuse', new Uint8Array(), { deadlineMs: 5000 }), (error: MonolithError) => {
        assert.equal(error.code, 'TableFull');
        assert.equal(error.details.rows, 3);
        assert.ok(error.message.startsWith(`${server.address}: `), error.message);
        return true;
      });
      await assert.rejects(channel.unary('/test.Echo/Break', new Uint8Array(), { deadlineMs: 5000 }), (error: MonolithError) => {
        assert.equal(error.code, 'Internal');
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
      assert.match(log.join('\n'), /Break: handler failed: Error: secret reason/);
      await assert.rejects(channel.unary('/test.Echo/Nothing', new Uint8Array(), { deadlineMs: 5000 }), { code: 'Unimplemented' });
    }));

  test('a call that is not answered fails at its deadline, on both sides; one that is cancelled at once', () =>
    withServer(async (_server, channel) => {
      const from = monotonicMs();
      await assert.rejects(channel.unary('/test.Echo/Never', new Uint8Array(), { deadlineMs: 100 }), { code: 'DeadlineExceeded' });
      assert.ok(monotonicMs() - from >= 95);
      const abort = new AbortController();
      const call = channel.unary('/test.Echo/Never', new Uint8Array(), { deadlineMs: 0, signal: abort.signal });
      abort.abort();
      await assert.rejects(call, { code: 'Cancelled' });
    }));

  test('headers travel both ways and the handler knows the deadline', () =>
    withServer(async (_server, channel) => {
      const reply = await channel.unary('/test.Echo/Header', new Uint8Array(), { deadlineMs: 60_000, headers: { question: 'why' } });
      assert.equal(reply.header('answer'), 'why!');
      const left = Number(reply.message.toString());
      assert.ok(left > 30_000 && left <= 60_000, String(left));
    }));

  test('a stream carries messages in order, both ways, and ends regularly', () =>
    withServer(async (_server, channel) => {
      const stream = channel.duplex('/test.Echo/Double');
      const got: number[] = [];
      stream.onMessage((message) => got.push(message.readInt32LE(0)));
      const end = closed(stream);
      for (let i = 0; i < 500; i++) {
        const message = Buffer.alloc(1000);
        message.writeInt32LE(i);
        stream.write(message);
      }
      stream.end();
      assert.equal(await end, null);
      assert.deepEqual(
        got,
        Array.from({ length: 1000 }, (_, i) => i >> 1),
      );
    }));

  test('a stream that a server fails closes with the code it was failed with', () =>
    withServer(async (server, channel) => {
      const error = (await closed(channel.duplex('/test.Echo/Fail'))) as MonolithError;
      assert.equal(error.code, 'FailedPrecondition');
      assert.equal(error.details.when, 'later');
      assert.equal(error.details.peer, server.address);
    }));

  test('a server that goes away closes streams with Unavailable; the channel finds the next one on that port', async () => {
    const first = await RpcServer.start({ services: [echo] });
    const channel = new RpcChannel(first.address);
    try {
      const end = closed(channel.duplex('/test.Echo/Double'));
      await channel.ready(5000);
      await first.close(0);
      assert.equal(((await end) as MonolithError).code, 'Unavailable');
      await assert.rejects(channel.unary('/test.Echo/Echo', new Uint8Array(1), { deadlineMs: 5000 }), (error: MonolithError) => {
        assert.equal(error.code, 'Unavailable');
        assert.ok(error.message.includes(first.address));
        return true;
      });
      const second = await RpcServer.start({ services: [echo], port: first.port });
      await channel.ready(10_000);
      assert.equal((await channel.unary('/test.Echo/Echo', new Uint8Array(3), { deadlineMs: 5000 })).message.length, 3);
      await second.close(0);
    } finally {
      channel.close();
    }
  });

  test('closing lets a running call end, and tells services first', async () => {
    let answer: (() => void) | null = null;
    let arrived = (): void => {};
    const running = new Promise<void>((resolve) => (arrived = resolve));
    const wait = (): Promise<Buffer> =>
      new Promise((resolve) => {
        answer = () => resolve(Buffer.from('done'));
        arrived();
      });
    const service: RpcService = { name: 'test.Slow', unary: { Wait: wait }, closing: () => answer?.() };
    const server = await RpcServer.start({ services: [service] });
    const channel = new RpcChannel(server.address);
    const call = channel.unary('/test.Slow/Wait', new Uint8Array(), { deadlineMs: 10_000 });
    await running;
    await server.close(5000);
    assert.equal((await call).message.toString(), 'done');
    channel.close();
  });

  test('ports and addresses that can not be used are refused with their name', async () => {
    const server = await RpcServer.start({ services: [] });
    await assert.rejects(RpcServer.start({ services: [], port: server.port }), {
      code: 'Unavailable',
      message: new RegExp(`127.0.0.1:${server.port}`),
    });
    await server.close();
    for (const address of ['', 'host', 'host:0', 'host:65536', ':1', 'a b:1', '::1:80', '[::1:80']) {
      assert.throws(() => new RpcChannel(address), { code: 'InvalidConfig' }, address);
    }
  });
});
