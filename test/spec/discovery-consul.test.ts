import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ConsulOptions, type Discovery, openConsul, type ServiceInfo, serviceAt } from '../../src/index.js';
import { sharedData } from '../data/helpers.js';
import { ConsulServer } from '../helpers/consul.js';
import { waitUntil } from '../helpers/wait-until.js';

/** A recorded answer of Consul's documentation or of Monolith's own test; one of the same form where shared data are absent. */
function recorded<T>(file: string, otherwise: T): T {
  const path = join(sharedData() ?? '', 'formats/consul', file);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : otherwise;
}

type HealthEntry = { Service: { Tags: string[]; Meta: Record<string, string>; ID: string; Address: string; Port: number } };
const [health] = recorded<HealthEntry[]>('health_service_response.json', [
  { Service: { ID: 'redis', Tags: ['primary'], Address: '10.1.10.12', Meta: { redis_version: '4.0' }, Port: 8000 } },
]);
const [lookup] = recorded('bytedance_lookup_response.json', [{ Port: 1234, Host: '192.168.0.1', Tags: { index: '0' } }]);

describe('#5f Consul', () => {
  const server = new ConsulServer();
  const opened: Discovery[] = [];
  let jobs = 0;
  before(() => server.start());
  after(async () => {
    await Promise.all(opened.map((discovery) => discovery.close()));
    await server.close();
  });
  const newJob = (): string => `job.${jobs++}`;
  async function open(psm: string, more: Partial<ConsulOptions> = {}): Promise<Discovery> {
    const discovery = await openConsul({ address: server.address, psm, operationTimeoutMs: 2_000, ...more });
    opened.push(discovery);
    return discovery;
  }
  const addresses = (services: readonly ServiceInfo[]): string[] => services.map(({ address }) => address).sort();

  for (const form of ['health', 'lookup'] as const) {
    test(`#5f ${form}: services of a role stand under the psm with their index, and are taken back`, async () => {
      const psm = newJob();
      const [ps, worker] = [await open(psm, { form }), await open(psm, { form })];
      await ps.connect();
      assert.equal(ps.kind, 'consul');
      assert.deepEqual(await worker.discover('ps'), []);
      await ps.register(serviceAt('ps', 3, '10.0.0.7:2222'));
      await worker.register(serviceAt('worker', 0, '10.0.0.8:2223'));
      assert.deepEqual(await worker.discover('ps'), [serviceAt('ps', 3, '10.0.0.7:2222')]);
      assert.deepEqual(addresses(await ps.discover('worker')), ['10.0.0.8:2223']);
      assert.deepEqual(await (await open(newJob(), { form })).discover('ps'), []);
      await ps.heartbeat('ps-3');
      await ps.register(serviceAt('ps', 3, '10.0.0.7:2224'));
      assert.deepEqual(addresses(await worker.discover('ps')), ['10.0.0.7:2224']);
      await ps.deregister(serviceAt('ps', 3, '10.0.0.7:2224'));
      await ps.deregister(serviceAt('ps', 3, '10.0.0.7:2224'));
      assert.deepEqual(await worker.discover('ps'), []);
      await assert.rejects(ps.heartbeat('ps-3'), { code: 'Discovery' });
    });

    test(`#5f ${form}: a watch hears of additions and removals`, async () => {
      const psm = newJob();
      const [ps, worker] = [await open(psm, { form }), await open(psm, { form })];
      const heard: string[] = [];
      const end = await worker.watch('ps', (services) => heard.push(addresses(services).join()));
      await ps.register(serviceAt('ps', 0, 'h:1'));
      await waitUntil('added', () => heard.at(-1) === 'h:1');
      await ps.close();
      await waitUntil('removed', () => heard.at(-1) === '');
      assert.deepEqual(heard, ['', 'h:1', '']);
      end();
    });
  }

  test('#5f recorded answers: entries of our roles are read, those of others passed over', async () => {
    const psm = newJob();
    const service = { ...health.Service, Tags: [...health.Service.Tags, 'name:ps', 'index:0'] };
    server.others.health = [health, { ...health, Service: service }];
    server.others.lookup = [lookup, { ...lookup, Tags: { ...lookup.Tags, name: 'ps' } }];
    try {
      const [found] = await (await open(psm)).discover('ps');
      assert.equal(found.address, `${health.Service.Address}:${health.Service.Port}`);
      assert.equal(found.metadata.index, '0');
      const viaLookup = await (await open(psm, { form: 'lookup' })).discover('ps');
      assert.deepEqual(viaLookup, [serviceAt('ps', 0, `${lookup.Host}:${lookup.Port}`)]);
    } finally {
      server.others.health = [];
      server.others.lookup = [];
    }
  });

  test('#5f a service renews itself; one that was killed is gone when its time is over', async () => {
    const psm = newJob();
    const [alive, worker] = [await open(psm, { ttlMs: 600 }), await open(psm)];
    await alive.register(serviceAt('ps', 0, 'h:1'));
    server.services.set('dead', {
      ...[...server.services.values()].filter(({ Name }) => Name === psm)[0],
      ID: 'dead',
      Address: 'x',
      expiresMs: performance.now() + 600,
    });
    await waitUntil('only the living one is left', async () => addresses(await worker.discover('ps')).join() === 'h:1');
    const renewals = (): number => server.requests.filter((line) => line === `PUT /v1/agent/check/pass/service:${psm}-ps-0`).length;
    const before = renewals();
    await waitUntil('it renewed itself', () => renewals() > before + 2);
    assert.deepEqual(addresses(await worker.discover('ps')), ['h:1']);
  });

  test('#5f an agent that is down is a typed error, and no end: it is told again when it is back', async () => {
    const psm = newJob();
    const [ps, worker] = [await open(psm, { ttlMs: 300 }), await open(psm)];
    await ps.register(serviceAt('ps', 0, 'h:1'));
    const heard: string[] = [];
    await worker.watch('ps', (services) => heard.push(addresses(services).join()));
    await server.stop();
    await assert.rejects(worker.discover('ps'), { code: 'Discovery', message: /Consul at 127\.0\.0\.1:\d+: list job/ });
    await assert.rejects(ps.heartbeat('ps-0'), { code: 'Discovery' });
    await server.start();
    await waitUntil('it is there again', async () => addresses(await worker.discover('ps')).join() === 'h:1');
    await ps.deregister(serviceAt('ps', 0, 'h:1'));
    await waitUntil('the watch goes on', () => heard.at(-1) === '');
  });

  test('#5f refusals of the agent carry its words; so do answers that are none', async () => {
    const discovery = await open(newJob());
    server.failure = 500;
    try {
      await assert.rejects(discovery.discover('ps'), { code: 'Discovery', message: /No cluster leader/ });
      await assert.rejects(discovery.register(serviceAt('ps', 0, 'h:1')), { code: 'Discovery', message: /register ps-0/ });
    } finally {
      server.failure = null;
    }
    for (const entry of [
      { Service: { ID: 'x', Tags: ['name:ps'], Address: 'h', Port: 'no' } },
      { Service: { Tags: ['name:ps'], Port: 1 } },
    ]) {
      server.others.health = [entry];
      await assert.rejects(discovery.discover('ps'), { code: 'Discovery' });
    }
    server.others.health = [null, 1, 'x', {}, { Service: null }, { Service: { Tags: [1, null], Meta: [] } }];
    assert.deepEqual(await discovery.discover('ps'), []);
    server.others.health = [];
  });

  test('#5f addresses and names that can not be used are refused; after close everything is', async () => {
    for (const options of [{ address: 'h' }, { address: '' }, { psm: '' }, { psm: 'a/b' }, { psm: 'a b' }]) {
      await assert.rejects(openConsul({ address: 'h:1', psm: 'p', ...options }), { code: 'Discovery' }, JSON.stringify(options));
    }
    const discovery = await open(newJob(), { token: 'secret' });
    await discovery.connect();
    assert.ok(server.tokens.has('secret'));
    await assert.rejects(discovery.register(serviceAt('ps', 0, 'h')), { code: 'Discovery' });
    await assert.rejects(discovery.register({ ...serviceAt('ps', 0, 'h:1'), metadata: {} }), { code: 'Discovery' });
    await discovery.close();
    await discovery.close();
    await assert.rejects(discovery.discover('ps'), { code: 'Discovery', details: { reason: 'Closed', backend: 'consul' } });
  });
});
