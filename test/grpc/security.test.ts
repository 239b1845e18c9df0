import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import type { MonolithError } from '../../src/base/index.js';
import { type ChannelSecurity, RpcChannel, RpcServer, type RpcServerOptions } from '../../src/grpc/index.js';
import { type CertificateFiles, TestAuthority } from '../helpers/certificates.js';

const authority = new TestAuthority();
const stranger = new TestAuthority('stranger');
const folder = mkdtempSync(join(tmpdir(), 'monolith-tls-'));
after(() => {
  authority.remove();
  stranger.remove();
  rmSync(folder, { recursive: true, force: true });
});
const good = authority.issue();

type Guarded = { readonly server: RpcServer; readonly log: string[]; readonly calls: () => number };

async function guarded(options: Omit<RpcServerOptions, 'services'>): Promise<Guarded> {
  let calls = 0;
  const log: string[] = [];
  const unary = {
    Call: (request: Buffer) => {
      calls++;
      return request;
    },
  };
  const server = await RpcServer.start({ ...options, services: [{ name: 'test.Guarded', unary }], log: (line) => log.push(line) });
  return { server, log, calls: () => calls };
}

async function call(address: string, security: ChannelSecurity, bytes = 1, deadlineMs = 5000): Promise<number> {
  const channel = new RpcChannel(address, { security });
  try {
    return (await channel.unary('/test.Guarded/Call', new Uint8Array(bytes), { deadlineMs })).message.length;
  } finally {
    channel.close();
  }
}

const refused = (address: string, security: ChannelSecurity, code = 'Unavailable') =>
  assert.rejects(call(address, security), (error: MonolithError) => {
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(address), error.message);
    return true;
  });

/** Lines of a PEM file that would give the key away. */
const secretLines = (files: CertificateFiles) =>
  readFileSync(files.keyFile, 'utf8')
    .split('\n')
    .filter((line) => line.length > 20 && !line.startsWith('-'));

async function eventually(check: () => Promise<void>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe('S1 TLS', () => {
  test('a client that trusts the authority gets through; one that should not is refused before any handler runs', async () => {
    const { server, calls } = await guarded({ security: { tls: good } });
    const { address, port } = server;
    assert.equal(await call(address, { tls: { caFile: authority.caFile } }), 1);
    await refused(address, { tls: { caFile: stranger.caFile } });
    await refused(address, { tls: {} });
    await refused(address, {});
    const old = await new Promise<Error | null>((resolve) => {
      const socket = tlsConnect(
        { port, host: '127.0.0.1', ca: readFileSync(authority.caFile), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ALPNProtocols: ['h2'] },
        () => resolve(null),
      );
      socket.on('error', resolve);
    });
    assert.notEqual(old, null, 'TLS 1.1 was accepted');
    assert.equal(calls(), 1);
    await server.close(0);
  });

  test('certificates that are expired, not yet valid, self-made or of another name are refused by the client', async () => {
    const bad = {
      expired: authority.issue('IP:127.0.0.1', '20200101', '20210101'),
      early: authority.issue('IP:127.0.0.1', '20900101', '20990101'),
      name: authority.issue('DNS:other.example'),
      stranger: stranger.issue(),
    };
    for (const [what, files] of Object.entries(bad)) {
      const { server, calls } = await guarded({ security: { tls: files } });
      await refused(server.address, { tls: { caFile: authority.caFile } });
      assert.equal(calls(), 0, what);
      if (what === 'name') assert.equal(await call(server.address, { tls: { caFile: authority.caFile, serverName: 'other.example' } }), 1);
      await server.close(0);
    }
    const plain = await guarded({});
    await refused(plain.server.address, { tls: { caFile: authority.caFile } });
    assert.equal(plain.calls(), 0);
    await plain.server.close(0);
  });

  test("client certificates: none, a stranger's and an expired one are refused, with a line for the operator that holds no key", async () => {
    const { server, log, calls } = await guarded({ security: { tls: { ...good, clientCaFile: authority.caFile } } });
    const { caFile } = authority;
    const mine = authority.issue();
    assert.equal(await call(server.address, { tls: { caFile, ...mine } }), 1);
    const [theirs, expired] = [stranger.issue(), authority.issue('IP:127.0.0.1', '20200101', '20210101')];
    await refused(server.address, { tls: { caFile } });
    await refused(server.address, { tls: { caFile, ...theirs } });
    await refused(server.address, { tls: { caFile, ...expired } });
    assert.equal(calls(), 1);
    assert.ok(
      log.some((line) => line.includes('TLS handshake failed')),
      log.join('\n'),
    );
    for (const secret of [good, mine, theirs, expired].flatMap(secretLines)) assert.ok(!log.join('\n').includes(secret));
    await server.close(0);
  });

  test('S2 certificates and authorities that are replaced count within five seconds, without a restart', async () => {
    const files = { certFile: join(folder, 'c.pem'), keyFile: join(folder, 'c.key'), clientCaFile: join(folder, 'ca.pem') };
    const install = (from: CertificateFiles, caFile: string): void => {
      copyFileSync(from.certFile, files.certFile);
      copyFileSync(from.keyFile, files.keyFile);
      copyFileSync(caFile, files.clientCaFile);
    };
    install(good, authority.caFile);
    const { server } = await guarded({ security: { tls: files } });
    const [mine, theirs] = [authority.issue(), stranger.issue()];
    const asMine = { tls: { caFile: authority.caFile, ...mine } };
    const asTheirs = { tls: { caFile: stranger.caFile, ...theirs } };
    assert.equal(await call(server.address, asMine), 1);
    await refused(server.address, asTheirs);
    install(stranger.issue(), stranger.caFile);
    await eventually(async () => assert.equal(await call(server.address, asTheirs), 1), 5000);
    await refused(server.address, asMine);
    await server.close(0);
  });

  test('files that can not be used are named, without their content', async () => {
    for (const tls of [
      { certFile: '/nowhere', keyFile: good.keyFile },
      { certFile: good.certFile, keyFile: stranger.issue().keyFile },
    ]) {
      await assert.rejects(guarded({ security: { tls } }), (error: MonolithError) => {
        assert.equal(error.code, 'InvalidConfig');
        assert.doesNotMatch(error.message, /BEGIN|PRIVATE KEY-/);
        return true;
      });
    }
  });
});

describe('S2 tokens', () => {
  const token = 'canary-3f8a9b-secret-token';

  test('missing, wrong and truncated ones are refused before the handler runs, and never shown', async () => {
    const { server, log, calls } = await guarded({ security: { token } });
    assert.equal(await call(server.address, { token }), 1);
    await refused(server.address, {}, 'Unauthenticated');
    for (const wrong of [`${token}x`, token.slice(0, -1), 'another-token-of-some-length']) {
      await refused(server.address, { token: wrong }, 'Unauthenticated');
      const error = await call(server.address, { token: wrong }).catch((reason: MonolithError) => reason);
      assert.ok(!JSON.stringify(error).includes(wrong) && !String((error as Error).stack).includes(token));
    }
    assert.equal(calls(), 1);
    assert.ok(!log.join('\n').includes(token));
    await assert.rejects(
      guarded({ security: { token: 'short' } }),
      (error: MonolithError) => error.code === 'InvalidConfig' && !error.message.includes('"short"'),
    );
    await server.close(0);
  });

  test('a token file may be replaced: the new one works within five seconds, the old one no more', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${token}\n`);
    const { server } = await guarded({ security: { tokenFile } });
    const client = new RpcChannel(server.address, { security: { tokenFile } });
    const own = () => client.unary('/test.Guarded/Call', new Uint8Array(1), { deadlineMs: 5000 });
    await own();
    writeFileSync(tokenFile, 'another-secret-token-0123\n');
    await eventually(async () => assert.equal(await call(server.address, { token: 'another-secret-token-0123' }), 1), 5000);
    await refused(server.address, { token }, 'Unauthenticated');
    await eventually(async () => void (await own()), 5000);
    client.close();
    await server.close(0);
  });
});

describe('S3 closed by default', () => {
  test('a server listens on loopback alone, and elsewhere only with TLS or when told so', async () => {
    const { server } = await guarded({});
    const hex = server.port.toString(16).toUpperCase().padStart(4, '0');
    const listening = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A');
    assert.deepEqual(
      listening.map((fields) => fields[1]),
      [`0100007F:${hex}`],
    );
    await server.close(0);
    for (const host of ['0.0.0.0', '::', '10.1.2.3', 'example.org']) {
      await assert.rejects(guarded({ host }), (error: MonolithError) => error.code === 'InvalidConfig' && error.message.includes(host));
    }
    for (const security of [{ insecure: true }, { tls: good }]) {
      const open = await guarded({ host: '0.0.0.0', security });
      await open.server.close(0);
    }
    assert.throws(() => new RpcChannel('10.1.2.3:80'), { code: 'InvalidConfig' });
    new RpcChannel('10.1.2.3:80', { security: { insecure: true } }).close();
  });
});

describe('S4 limits', () => {
  test('a message of the limit passes, one byte more is refused with the limit', async () => {
    const { server, calls } = await guarded({ limits: { messageBytes: 1000 } });
    assert.equal(await call(server.address, {}, 1000), 1000);
    await assert.rejects(
      call(server.address, {}, 1001),
      (error: MonolithError) => error.code === 'ResourceExhausted' && /1000/.test(error.message),
    );
    assert.equal(calls(), 1);
    await server.close(0);
  });

  test('calls at one time, calls a second and connections', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const unary = { Hold: () => held.then(() => Buffer.alloc(0)) };
    const limits = { concurrentCalls: 2, connections: 2 };
    const server = await RpcServer.start({ services: [{ name: 'test.Hold', unary }], limits });
    const channel = new RpcChannel(server.address);
    const hold = () => channel.unary('/test.Hold/Hold', new Uint8Array(), { deadlineMs: 10_000 });
    const running = [hold(), hold()];
    await assert.rejects(hold(), { code: 'ResourceExhausted', message: /2 concurrent calls/ });
    release();
    await Promise.all(running);
    await hold();
    const sockets = [1, 2].map(() => createConnection(server.port, '127.0.0.1'));
    const closed = await Promise.race(
      sockets.map((socket) => new Promise<string>((resolve) => socket.on('close', () => resolve('closed')))),
    );
    assert.equal(closed, 'closed');
    assert.equal(server.connections, 2);
    for (const socket of sockets) socket.destroy();
    channel.close();
    await server.close(0);
    const paced = await guarded({ limits: { callsPerSecond: 3 } });
    const answers = await Promise.allSettled(Array.from({ length: 4 }, () => call(paced.server.address, {})));
    assert.ok(answers.filter(({ status }) => status === 'fulfilled').length >= 3);
    const many = new RpcChannel(paced.server.address);
    const burst = await Promise.allSettled(
      Array.from({ length: 50 }, () => many.unary('/test.Guarded/Call', new Uint8Array(), { deadlineMs: 5000 })),
    );
    assert.ok(burst.some((answer) => answer.status === 'rejected' && (answer.reason as MonolithError).code === 'ResourceExhausted'));
    many.close();
    await paced.server.close(0);
  });
});

test('R34 a peer that no longer answers is noticed by keep-alive', async () => {
  const service = { name: 'test.Open', duplex: { Open: () => {} } };
  const server = await RpcServer.start({ services: [service] });
  const { createServer } = await import('node:net');
  const pipes: (() => void)[] = [];
  const swallow = createServer((socket) => {
    const upstream = createConnection(server.port, '127.0.0.1');
    socket.pipe(upstream);
    upstream.pipe(socket);
    for (const side of [socket, upstream]) side.on('error', () => {});
    pipes.push(() => {
      socket.unpipe();
      upstream.unpipe();
      socket.on('data', () => {});
      upstream.on('data', () => {});
    });
  });
  await new Promise<void>((resolve) => swallow.listen(0, '127.0.0.1', resolve));
  const bound = swallow.address();
  const channel = new RpcChannel(`127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`, {
    keepAliveMs: 300,
    keepAliveTimeoutMs: 300,
  });
  const stream = channel.duplex('/test.Open/Open');
  await channel.ready(5000);
  for (const cut of pipes) cut();
  const error = await new Promise<Error | null>((resolve) => stream.onClose(resolve));
  assert.equal((error as MonolithError).code, 'Unavailable');
  channel.close();
  await server.close(0);
  swallow.close();
});
