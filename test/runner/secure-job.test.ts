// Certificates and tokens between the processes of a job. What a channel or server refuses by itself is in test/grpc.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isLong } from '../helpers/board.js';
import { type CertificateFiles, TestAuthority } from '../helpers/certificates.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, type JobProcess, sectionsOf, trainedLocally } from '../helpers/job.js';
import { waitUntil } from '../helpers/wait-until.js';

const PEER_TIMEOUT_MS = 2000;
/** No hang, on however busy a machine; that processes end within the timeout and a second is shown by network-namespaces. */
const LATEST_END_MS = 30_000;
const epochs = ['--epochs', '1'];
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-secure-job-'));
const config = join(folder, 'config.yaml');
const authority = new TestAuthority();
const stranger = new TestAuthority('stranger');

before(() => {
  writeClicks(join(folder, 'train.csv'), 1500, 1);
  writeClicks(join(folder, 'test.csv'), 200, 2);
  writeFileSync(config, clickConfig(folder));
  writeFileSync(join(folder, 'token'), 'correct-horse-battery-staple\n');
  writeFileSync(join(folder, 'other-token'), 'wrong-horse-battery-staple\n');
});
after(() => {
  authority.remove();
  stranger.remove();
  rmSync(folder, { recursive: true, force: true });
});

const shows = ({ certFile, keyFile }: CertificateFiles): string[] => ['--tls-cert', certFile, '--tls-key', keyFile];
const trusts = ({ caFile }: TestAuthority): string[] => ['--tls-ca', caFile];
const token = (name: string): string[] => ['--token-file', join(folder, name)];

const trained = new Map<number, Promise<Record<string, string>>>();

/** What so many workers come to on threads. */
function plain(workers: number): Promise<Record<string, string>> {
  const sections = trained.get(workers) ?? trainedLocally(folder, config, ['--workers', String(workers), '--ps', '1', ...epochs]);
  trained.set(workers, sections);
  return sections;
}

/** A job of one parameter server; the folder for discovery is that of `meet`. */
function jobIn(name: string, workers: number, meet: string, own: (role: string, index: number) => readonly string[]): Job {
  return new Job({
    folder: join(folder, name),
    config,
    workers,
    ps: 1,
    flags: [...epochs, '--peer-timeout-ms', String(PEER_TIMEOUT_MS)],
    discovery: ['--discovery', 'host-files', '--discovery-folder', join(folder, meet)],
    own,
  });
}

describe('S1 S2 jobs', () => {
  test('over TLS with a token, and over mTLS, train to the bits of plain threads; nothing listens beyond loopback', async () => {
    const server = authority.issue();
    const everybody = authority.issue();
    // One worker: nobody calls the chief, which needs no certificate then.
    const tls = jobIn('tls', 1, 'meet-tls', (role) => [...(role === 'ps' ? shows(server) : trusts(authority)), ...token('token')]);
    const mtls = jobIn('mtls', 2, 'meet-mtls', () => [...shows(everybody), ...trusts(authority)]);
    try {
      for (const [job, workers] of [
        [tls, 1],
        [mtls, 2],
      ] as const) {
        job.startAll();
        for (const one of job.processes) await listensOnLoopbackOnly(one);
        const codes = await job.ended(60_000);
        assert.deepEqual([...new Set(codes.values())], [0], job.said());
        assert.deepEqual(sectionsOf(job.modelDir), await plain(workers));
      }
    } finally {
      await tls.kill();
      await mtls.kill();
    }
  });

  test('S3 an address beyond loopback is refused without TLS or --insecure', async () => {
    const job = jobIn('open', 1, 'meet-open', () => []);
    try {
      const ps = job.start('ps', 0, ['--bind', '0.0.0.0:0', '--advertise', 'localhost']);
      assert.equal(await ps.exit, 2, ps.stderr());
      assert.match(ps.stderr(), /InvalidConfig {2}.*0\.0\.0\.0.*insecure/i);
    } finally {
      await job.kill();
    }
  });
});

describe('S1 S2 a process that does not belong', () => {
  const good = authority.issue();
  const keep = ['--keep', ...shows(good), ...trusts(authority), ...token('token')];
  const refusedByServer = /has not answered for 2000 ms; last: .*both sides agree on TLS/s;
  // One of each kind; MONOLITH_TEST_LONG=1 tries the others too. What they rest on is tried one by one in test/grpc.
  const cases: readonly { name: string; long?: true; to: 'mtls' | 'plain'; flags: readonly string[]; cause: RegExp }[] = [
    { name: 'no client certificate', to: 'mtls', flags: [...trusts(authority), ...token('token')], cause: refusedByServer },
    {
      name: "a stranger's certificate",
      long: true,
      to: 'mtls',
      flags: [...shows(stranger.issue()), ...trusts(authority), ...token('token')],
      cause: refusedByServer,
    },
    {
      name: 'a certificate of the past',
      long: true,
      to: 'mtls',
      flags: [...shows(authority.issue('IP:127.0.0.1', '20200101', '20210101')), ...trusts(authority), ...token('token')],
      cause: refusedByServer,
    },
    {
      name: 'another authority',
      long: true,
      to: 'mtls',
      flags: [...shows(good), ...trusts(stranger), ...token('token')],
      cause: /self-signed certificate/,
    },
    {
      name: 'another name',
      to: 'mtls',
      flags: [...shows(good), ...trusts(authority), '--tls-server-name', 'elsewhere', ...token('token')],
      cause: /does not match certificate's altnames: Host: elsewhere/,
    },
    { name: 'plain text to TLS', to: 'mtls', flags: token('token'), cause: refusedByServer },
    {
      name: 'TLS to plain text',
      long: true,
      to: 'plain',
      flags: [...shows(good), ...trusts(authority), ...token('token')],
      cause: /wrong version number/,
    },
    {
      name: 'a wrong token',
      to: 'mtls',
      flags: [...shows(good), ...trusts(authority), ...token('other-token')],
      cause: /the token sent is not valid here/,
    },
  ];

  test('ends in time with an error that names the server and the cause; the server goes on', async () => {
    const servers = {
      mtls: jobIn('server', 1, 'meet-mtls-kept', () => keep),
      plain: jobIn('plain', 1, 'meet-plain', () => ['--keep', ...token('token')]),
    };
    const jobs: Job[] = Object.values(servers);
    try {
      const addresses = Object.fromEntries(
        await Promise.all(Object.entries(servers).map(async ([name, job]) => [name, await addressOf(job.start('ps', 0))] as const)),
      );
      const attempt = async ({ name, to, flags, cause }: (typeof cases)[number]): Promise<void> => {
        const job = jobIn(name.replaceAll(' ', '-'), 1, to === 'mtls' ? 'meet-mtls-kept' : 'meet-plain', () => flags);
        jobs.push(job);
        const chief = job.start('chief');
        await addressOf(chief);
        const from = performance.now();
        const code = await chief.exit;
        const took = performance.now() - from;
        const said = `${name}: ${chief.stderr()}`;
        assert.match(
          chief.stderr(),
          to === 'mtls' && flags.includes(join(folder, 'other-token')) ? /^Unauthenticated {2}/m : /^Unavailable {2}/m,
          said,
        );
        assert.equal(code, /^Unauthenticated/m.test(chief.stderr()) ? 1 : 5, said);
        assert.ok(chief.stderr().includes(addresses[to]), `${addresses[to]} in ${said}`);
        assert.match(chief.stderr(), cause, said);
        assert.ok(took < LATEST_END_MS, `${took} ms, ${said}`);
      };
      const tried = cases.filter(({ long }) => isLong || long === undefined);
      for (let i = 0; i < tried.length; i += 4) await Promise.all(tried.slice(i, i + 4).map(attempt));
      for (const why of ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'ERR_SSL_WRONG_VERSION_NUMBER']) {
        assert.ok(servers.mtls.said().includes(`refused: TLS handshake failed (${why})`), servers.mtls.said());
      }
      // A worker and its chief look at each other in the same way.
      const split = jobIn('split', 2, 'meet-split', (role) => [...shows(good), ...trusts(role === 'chief' ? authority : stranger)]);
      jobs.push(split);
      const leads = await addressOf(split.start('chief'));
      const worker = split.start('worker', 1, ['--start-timeout-ms', '6000']);
      assert.equal(await worker.exit, 5, worker.stderr());
      assert.match(worker.stderr(), new RegExp(`the chief could not be reached.* \\(${leads}.*self-signed certificate`));
      // The server that refused them serves the one that belongs.
      const job = jobIn('belongs', 1, 'meet-mtls-kept', () => [...shows(good), ...trusts(authority), ...token('token')]);
      jobs.push(job);
      assert.equal(await job.start('chief').exit, 0, job.said());
      assert.deepEqual(sectionsOf(job.modelDir), await plain(1));
    } finally {
      await Promise.all(jobs.map((job) => job.kill()));
    }
  });
});

/** Where a process says that it listens. */
async function addressOf(one: JobProcess): Promise<string> {
  return waitUntil(
    `${one.name} listens`,
    () => {
      assert.equal(one.child.exitCode, null, one.stderr());
      return /listening on (\S+?),?(?:\s|$)/.exec(one.stderr())?.[1];
    },
    60_000,
  );
}

/** Looks at the sockets of a process in the system's own lists. */
async function listensOnLoopbackOnly(one: JobProcess): Promise<void> {
  await addressOf(one);
  const { pid } = one.child;
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // It was closed meanwhile.
      }
    }),
  );
  const listening = ['tcp', 'tcp6'].flatMap((file) =>
    readFileSync(`/proc/${pid}/net/${file}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((words) => words[3] === '0A' && inodes.has(words[9]))
      .map(([, local]) => local.split(':')[0]),
  );
  assert.ok(listening.length > 0, `${one.name} listens nowhere`);
  // 127.0.0.1 as the system writes it on little-endian machines.
  for (const address of listening) assert.equal(address, '0100007F', one.name);
}
