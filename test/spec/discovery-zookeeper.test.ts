import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Discovery, openZooKeeper, type ServiceInfo, serviceAt, type ZooKeeperOptions } from '../../src/index.js';
import { waitUntil } from '../helpers/wait-until.js';
import { Wire, ZooKeeperServer, zooKeeperAbsent } from '../helpers/zookeeper.js';

const absent = zooKeeperAbsent();
const packageUrl = new URL('../../src/index.js', import.meta.url).href;

/** Sessions end this soon after the last sign of life. */
const SESSION_MS = 600;

// Under CI a missing server is a failure, never a test left out.
test('ZooKeeper is installed where the whole suite runs', { skip: absent !== null && process.env.CI !== 'true' && absent }, () => {
  assert.equal(absent, null);
});

describe('#7a ZooKeeper, a real server', { skip: absent ?? false }, () => {
  let folder: string;
  let server: ZooKeeperServer;
  const opened: Discovery[] = [];
  let jobs = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zookeeper-'));
    server = await ZooKeeperServer.start(folder);
  });
  after(async () => {
    await Promise.all(opened.map((discovery) => discovery.close()));
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const newJob = (): string => `/monolith/job-${jobs++}`;
  async function open(path: string, more: Partial<ZooKeeperOptions> = {}): Promise<Discovery> {
    const discovery = await openZooKeeper({
      servers: `127.0.0.1:${server.port}`,
      path,
      sessionTimeoutMs: SESSION_MS,
      registerPauseMs: 100,
      ...more,
    });
    opened.push(discovery);
    return discovery;
  }
  const addresses = (services: readonly ServiceInfo[]): string[] => services.map((service) => service.address).sort();
  async function sees(discovery: Discovery, type: string, expected: readonly string[]): Promise<void> {
    await waitUntil(`${type} is ${expected.join(', ') || 'empty'}`, async () => {
      const found = await discovery.discover(type).catch(() => null);
      return found !== null && JSON.stringify(addresses(found)) === JSON.stringify([...expected].sort());
    });
  }

  test('a service stands at <path>/<role>.<index> with its index, and is taken back', async () => {
    const path = newJob();
    const [ps, worker] = [await open(path), await open(path)];
    assert.equal(ps.kind, 'zk');
    assert.deepEqual(await worker.discover('ps'), []);
    const service = serviceAt('ps', 3, '127.0.0.1:2222');
    await ps.register(service);
    await ps.heartbeat('ps-3');
    assert.deepEqual(await worker.discover('ps'), [service]);
    assert.deepEqual(await worker.discover('worker'), []);
    assert.deepEqual(await (await open(newJob())).discover('ps'), []);
    await ps.register(serviceAt('ps', 3, '127.0.0.1:2223'));
    assert.deepEqual(addresses(await worker.discover('ps')), ['127.0.0.1:2223']);
    await ps.deregister(serviceAt('ps', 3, '127.0.0.1:2223'));
    assert.deepEqual(await worker.discover('ps'), []);
    await ps.deregister(serviceAt('ps', 3, '127.0.0.1:2223'));
    await assert.rejects(ps.heartbeat('ps-3'), { code: 'Discovery' });
  });

  test('a worker finds three PS within a second of their start', async () => {
    const path = newJob();
    const worker = await open(path);
    let foundMs = 0;
    const end = await worker.watch('ps', (services) => {
      if (services.length === 3) foundMs = performance.now();
    });
    let startedMs = 0;
    for (let index = 0; index < 3; index++) {
      const ps = await open(path);
      startedMs = performance.now();
      await ps.register(serviceAt('ps', index, `127.0.0.1:300${index}`));
    }
    await waitUntil('the watch saw three', () => foundMs > 0);
    assert.ok(foundMs - startedMs < 1_000, `${foundMs - startedMs} ms`);
    end();
  });

  test('a watch tells additions, new addresses and removals', async () => {
    const path = newJob();
    const [worker, ps] = [await open(path), await open(path)];
    const seen: string[] = [];
    const end = await worker.watch('ps', (services) => seen.push(addresses(services).join()));
    assert.deepEqual(seen, ['']);
    await ps.register(serviceAt('ps', 0, '127.0.0.1:1'));
    await waitUntil('added', () => seen.at(-1) === '127.0.0.1:1');
    await ps.register(serviceAt('ps', 0, '127.0.0.1:2'));
    await waitUntil('updated', () => seen.at(-1) === '127.0.0.1:2');
    await ps.close();
    await waitUntil('removed', () => seen.at(-1) === '');
    assert.equal(seen.length, 4);
    end();
  });

  // They wait for sessions to end, each in a path of its own: all at once.
  describe('sessions that end', { concurrency: true }, () => {
    test('entries vanish after exit at once, and after kill -9 when the session is over', async () => {
      const path = newJob();
      const worker = await open(path);
      const script = `
      import { openZooKeeper, serviceAt } from ${JSON.stringify(packageUrl)};
      const discovery = await openZooKeeper(JSON.parse(process.argv[1]));
      await discovery.register(serviceAt('ps', Number(process.argv[2]), '127.0.0.1:' + process.argv[3]));
      console.log('registered');
      process.stdin.once('data', async () => {
        await discovery.close();
        process.stdin.destroy();
      });`;
      const start = (index: number, sessionTimeoutMs: number) => {
        const options = JSON.stringify({ servers: `127.0.0.1:${server.port}`, path, sessionTimeoutMs });
        return spawn(process.execPath, ['--input-type=module', '-e', script, options, String(index), String(4000 + index)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
      };
      // The first one's session would outlive this test: only its close can make the entry vanish.
      const children = [start(0, 60_000), start(1, SESSION_MS)];
      try {
        await sees(worker, 'ps', ['127.0.0.1:4000', '127.0.0.1:4001']);
        children[1].kill('SIGKILL');
        await sees(worker, 'ps', ['127.0.0.1:4000']);
        const exited = new Promise((resolve) => children[0].once('exit', resolve));
        children[0].stdin.write('end\n');
        assert.equal(await exited, 0);
        assert.deepEqual(await worker.discover('ps'), []);
      } finally {
        for (const child of children) child.kill('SIGKILL');
      }
    });

    for (const how of ['cut', 'silent'] as const) {
      test(`session expiry re-registers: the wire is ${how} for longer than the session`, async () => {
        const path = newJob();
        const wire = await Wire.to(server.port);
        try {
          const [ps, worker] = [await open(path, { servers: `127.0.0.1:${wire.port}`, operationTimeoutMs: 1_000 }), await open(path)];
          await ps.register(serviceAt('ps', 0, '127.0.0.1:5000'));
          const seenByPs: string[] = [];
          await ps.watch('worker', (services) => seenByPs.push(addresses(services).join()));
          wire.down(how);
          await sees(worker, 'ps', []);
          await assert.rejects(ps.discover('ps'), { code: 'Discovery' });
          await worker.register(serviceAt('worker', 0, '127.0.0.1:5001'));
          wire.up();
          await sees(worker, 'ps', ['127.0.0.1:5000']);
          await waitUntil('watches go on in the new session', () => seenByPs.at(-1) === '127.0.0.1:5001');
          await ps.close();
          await sees(worker, 'ps', []);
        } finally {
          await wire.close();
        }
      });
    }

    test('a restarted process takes its old place; the one before does not take it back', async () => {
      const path = newJob();
      const wire = await Wire.to(server.port);
      try {
        const [old, worker] = [await open(path, { servers: `127.0.0.1:${wire.port}`, sessionTimeoutMs: 60_000 }), await open(path)];
        await old.register(serviceAt('ps', 0, '127.0.0.1:6000'));
        wire.down('cut');
        const next = await open(path);
        await next.register(serviceAt('ps', 0, '127.0.0.1:6001'));
        const seen: string[] = [];
        await worker.watch('ps', (services) => seen.push(addresses(services).join()));
        wire.up();
        await waitUntil('the first one is back', () => old.discover('ps').catch(() => null));
        assert.deepEqual(seen, ['127.0.0.1:6001']);
        // Once the place is free, the process that still wants it has it.
        await next.close();
        await sees(worker, 'ps', ['127.0.0.1:6000']);
      } finally {
        await wire.close();
      }
    });
  });

  test('a server that is down is a typed error in time, and no end: what was registered is there when it is back, even with nothing kept', async () => {
    const path = newJob();
    const [ps, worker] = [await open(path, { operationTimeoutMs: 500 }), await open(path, { operationTimeoutMs: 500 })];
    await ps.register(serviceAt('ps', 0, '127.0.0.1:7000'));
    const seen: string[] = [];
    await worker.watch('ps', (services) => seen.push(addresses(services).join()));
    await server.kill();
    const startedMs = performance.now();
    await assert.rejects(worker.discover('ps'), { code: 'Discovery', message: /ZooKeeper 127\.0\.0\.1:\d+: list \/monolith\/job-/ });
    assert.ok(performance.now() - startedMs < 5_000);
    const late = await open(path, { operationTimeoutMs: 300 });
    await assert.rejects(late.connect(), { code: 'Discovery', message: /no connection within 300 ms/ });
    await server.forget();
    await server.start();
    await sees(worker, 'ps', ['127.0.0.1:7000']);
    await late.connect();
    await worker.register(serviceAt('worker', 0, '127.0.0.1:7001'));
    await sees(late, 'worker', ['127.0.0.1:7001']);
    assert.equal(seen.at(-1), '127.0.0.1:7000');
  });

  test('a node that somebody deleted or that another session left behind is put right', async () => {
    const path = newJob();
    const [ps, other] = [await open(path), await open(path)];
    await ps.register(serviceAt('ps', 0, '127.0.0.1:8000'));
    await other.deregister(serviceAt('ps', 0, '127.0.0.1:8000'));
    await sees(other, 'ps', ['127.0.0.1:8000']);
    // The same address in another session: the node must be owned by the one that goes on.
    await other.register(serviceAt('ps', 0, '127.0.0.1:8000'));
    await other.close();
    await sees(ps, 'ps', ['127.0.0.1:8000']);
  });

  test('what can be no part of a path is refused; after close everything is', async () => {
    for (const path of ['monolith', '/', '/a//b', '/a/', '/a b', '/a/..']) {
      await assert.rejects(openZooKeeper({ servers: 'h:1', path }), { code: 'Discovery' }, path);
    }
    const discovery = await open(newJob());
    await assert.rejects(discovery.register(serviceAt('a/b', 0, '127.0.0.1:1')), { code: 'Discovery' });
    await assert.rejects(discovery.register(serviceAt('ps', 0, '127.0.0.1')), { code: 'Discovery' });
    await assert.rejects(discovery.register({ ...serviceAt('ps', 0, '127.0.0.1:1'), metadata: {} }), { code: 'Discovery' });
    await discovery.close();
    await discovery.close();
    await assert.rejects(discovery.discover('ps'), { code: 'Discovery', details: { reason: 'Closed', backend: 'zk' } });
  });
});
