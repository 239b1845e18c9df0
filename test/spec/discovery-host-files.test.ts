import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HostFileDiscovery, type HostFileOptions, type ServiceInfo, serviceAt } from '../../src/index.js';
import { waitUntil } from '../helpers/wait-until.js';

describe('discovery through a folder that hosts share', () => {
  let root: string;
  const opened: HostFileDiscovery[] = [];
  let jobs = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'host-files-'));
  });
  after(async () => {
    await Promise.all(opened.map((discovery) => discovery.close()));
    await rm(root, { recursive: true, force: true });
  });
  const newFolder = (): string => join(root, `job-${jobs++}`);
  const open = (folder: string, more: Partial<HostFileOptions> = {}): HostFileDiscovery => {
    const discovery = new HostFileDiscovery({ folder, pollMs: 20, ...more });
    opened.push(discovery);
    return discovery;
  };
  const addresses = (services: readonly ServiceInfo[]): string[] => services.map(({ address }) => address).sort();
  /** As if the file had last been written so long ago. */
  const age = async (path: string, ms: number): Promise<void> => {
    const then = new Date(Date.now() - ms);
    await utimes(path, then, then);
  };

  test('<folder>/<role>/<index> holds host:port, whole, and goes when it is taken back', async () => {
    const folder = newFolder();
    const [ps, worker] = [open(folder), open(folder)];
    assert.equal(ps.kind, 'host_files');
    await ps.connect();
    assert.deepEqual(await worker.discover('ps'), []);
    await ps.register(serviceAt('ps', 10, '10.0.0.1:2222'));
    assert.equal(await readFile(join(folder, 'ps/10'), 'utf8'), '10.0.0.1:2222\n');
    assert.deepEqual(await worker.discover('ps'), [serviceAt('ps', 10, '10.0.0.1:2222')]);
    assert.deepEqual(await readdir(join(folder, 'ps')), ['10']);
    await ps.heartbeat('ps-10');
    await ps.deregister(serviceAt('ps', 10, '10.0.0.1:2222'));
    assert.deepEqual(await worker.discover('ps'), []);
    await ps.deregister(serviceAt('ps', 10, '10.0.0.1:2222'));
    await assert.rejects(ps.heartbeat('ps-10'), { code: 'Discovery' });
  });

  test('closing takes back what was registered here, not what another process put in its place', async () => {
    const folder = newFolder();
    const [old, next] = [open(folder), open(folder)];
    await old.register(serviceAt('ps', 0, 'h:1'));
    await old.register(serviceAt('ps', 1, 'h:2'));
    await next.register(serviceAt('ps', 0, 'h:3'));
    await old.close();
    await old.close();
    assert.deepEqual(addresses(await next.discover('ps')), ['h:3']);
    await assert.rejects(old.discover('ps'), { code: 'Discovery', details: { reason: 'Closed', backend: 'host_files' } });
  });

  test('an entry without a sign of life is taken away; one with signs of life stays', async () => {
    const folder = newFolder();
    const [alive, reader] = [open(folder, { heartbeatMs: 20, staleMs: 5_000 }), open(folder, { staleMs: 5_000 })];
    await alive.register(serviceAt('ps', 0, 'h:1'));
    await mkdir(join(folder, 'ps'), { recursive: true });
    await writeFile(join(folder, 'ps/1'), 'h:2');
    await age(join(folder, 'ps/0'), 60_000);
    await age(join(folder, 'ps/1'), 60_000);
    await waitUntil('the living one wrote again', async () => addresses(await reader.discover('ps')).includes('h:1'));
    assert.deepEqual(addresses(await reader.discover('ps')), ['h:1']);
    assert.deepEqual(await readdir(join(folder, 'ps')).then((all) => all.filter((name) => !name.startsWith('.'))), ['0']);
  });

  test('an entry that somebody deleted comes back with the next sign of life', async () => {
    const folder = newFolder();
    const ps = open(folder, { heartbeatMs: 20 });
    await ps.register(serviceAt('ps', 0, 'h:1'));
    await rm(folder, { recursive: true });
    await waitUntil('it is back', async () => addresses(await ps.discover('ps')).includes('h:1'));
  });

  test('a watch hears of additions, new addresses and removals', async () => {
    const folder = newFolder();
    const [ps, worker] = [open(folder), open(folder)];
    const heard: string[] = [];
    const end = await worker.watch('ps', (services) => heard.push(addresses(services).join()));
    await ps.register(serviceAt('ps', 0, 'h:1'));
    await waitUntil('added', () => heard.at(-1) === 'h:1');
    await ps.register(serviceAt('ps', 0, 'h:2'));
    await waitUntil('updated', () => heard.at(-1) === 'h:2');
    await ps.close();
    await waitUntil('removed', () => heard.at(-1) === '');
    assert.deepEqual(heard, ['', 'h:1', 'h:2', '']);
    end();
  });

  test('names that are no index and files that are being written are passed over; other content is named', async () => {
    const folder = newFolder();
    const reader = open(folder);
    await mkdir(join(folder, 'ps'), { recursive: true });
    for (const name of ['a', '01', '-1', '1.5', '.0-x', '99999999999']) await writeFile(join(folder, 'ps', name), 'h:1');
    await writeFile(join(folder, 'ps/0'), '');
    assert.deepEqual(await reader.discover('ps'), []);
    await writeFile(join(folder, 'ps/0'), 'no address');
    await assert.rejects(reader.discover('ps'), { code: 'Discovery', message: /ps\/0 holds "no address", expected one address host:port/ });
  });

  test('roles that are no name of a folder, and services without place or address, are refused', async () => {
    const folder = newFolder();
    const discovery = open(folder);
    for (const role of ['..', '.', '', 'a/b', '../x', '.hidden', 'a b', 'a\0b']) {
      await assert.rejects(discovery.discover(role), { code: 'Discovery' }, role);
      await assert.rejects(discovery.register(serviceAt(role, 0, 'h:1')), { code: 'Discovery' }, role);
    }
    await assert.rejects(discovery.register({ ...serviceAt('ps', 0, 'h:1'), metadata: {} }), { code: 'Discovery' });
    await assert.rejects(discovery.register(serviceAt('ps', 0, 'h')), { code: 'Discovery' });
    await writeFile(join(root, 'a-file'), '');
    await assert.rejects(open(join(root, 'a-file')).register(serviceAt('ps', 0, 'h:1')), { code: 'Discovery', message: /can't write/ });
  });

  test('any content of a file gives a service, none, or a Discovery error', async () => {
    const folder = newFolder();
    const reader = open(folder);
    await mkdir(join(folder, 'ps'), { recursive: true });
    const content = fc.oneof(fc.string(), fc.constantFrom('h:1', '[::1]:2\n', '__proto__:1', 'h:99999', `${'h'.repeat(5000)}:1`));
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        await writeFile(join(folder, 'ps/0'), text);
        const services = await reader.discover('ps').catch((error) => {
          assert.equal(error.code, 'Discovery', error.stack);
          return [];
        });
        for (const service of services) assert.equal(service.address, text.trim());
      }),
      { numRuns: 60 },
    );
  });
});
