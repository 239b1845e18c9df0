import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DistributedRole,
  type DistributedRunConfig,
  defaultDistributedRunConfig,
  MemoryDiscovery,
  MonolithError,
  type RoleBody,
  runDistributed,
} from '../../src/index.js';
import { type DiscoveryScript, fails, hangs, ScriptedDiscovery } from '../helpers/scripted-discovery.js';

const configOf = (role: DistributedRole, change: Partial<DistributedRunConfig> = {}): DistributedRunConfig => ({
  ...defaultDistributedRunConfig,
  role,
  discoveryOperationTimeoutMs: 2000,
  discoveryCleanupTimeoutMs: 2000,
  ...change,
});

const announces: RoleBody<string> = async ({ announce }) => {
  await announce('127.0.0.1:4321');
  return 'done';
};

/** Runs a role whose body announces itself; gives the discovery, and the error's message or what the body returned. */
async function outcome(
  role: DistributedRole,
  script: DiscoveryScript,
  body: RoleBody<string> = announces,
  change: Partial<DistributedRunConfig> = {},
): Promise<{ discovery: ScriptedDiscovery; text: string; error: unknown }> {
  const discovery = new ScriptedDiscovery(script);
  try {
    return { discovery, text: await runDistributed(discovery, configOf(role, change), body), error: null };
  } catch (error) {
    assert.ok(error instanceof Error);
    return { discovery, text: error.message, error };
  }
}

const counts = (discovery: ScriptedDiscovery): number[] =>
  (['connect', 'register', 'deregister', 'close'] as const).map((operation) => discovery.count(operation));

for (const role of ['ps', 'worker'] as const) {
  describe(`the end of a ${role}`, () => {
    test(`#15 a ${role} that ends is no longer announced, and its discovery is closed once`, async () => {
      const seen: unknown[] = [];
      const { discovery, text } = await outcome(role, {}, async ({ announce, discovery: backend }) => {
        await announce('127.0.0.1:4321');
        seen.push(...(await backend.discover(role)));
        return 'done';
      });
      assert.equal(text, 'done');
      assert.deepEqual(seen, [
        {
          id: `${role}-0`,
          serviceType: role,
          address: '127.0.0.1:4321',
          metadata: { addr: '127.0.0.1:4321', index: '0', ...(role === 'ps' ? { allow_update: 'true' } : {}) },
          health: 'healthy',
        },
      ]);
      assert.deepEqual(await discovery.discover(role), []);
      assert.deepEqual(counts(discovery), [1, 1, 1, 1]);
      assert.deepEqual(discovery.calls.slice(0, -1), ['connect', 'register', 'discover', 'deregister', 'close']);
    });

    test(`#15 a ${role} that fails is cleaned up too, and its own error comes out unchanged`, async () => {
      const own = new MonolithError('NonFiniteLoss', 'loss is NaN', { step: 3 });
      const { discovery, error } = await outcome(role, {}, async ({ announce }) => {
        await announce('127.0.0.1:1');
        throw own;
      });
      assert.equal(error, own);
      assert.deepEqual(counts(discovery), [1, 1, 1, 1]);
    });

    test(`#15 failures of cleaning up are added to the error of the ${role}`, async () => {
      const script = { deregister: fails('forced deregister failure'), close: fails('forced disconnect failure') };
      const { discovery, text, error } = await outcome(role, script, async () => {
        throw new MonolithError('NonFiniteLoss', 'loss is NaN', { step: 3 });
      });
      assert.equal(
        text,
        `loss is NaN (discovery cleanup encountered issues after role error: deregister ${role}-0 from ${role}: forced deregister failure; disconnect ${role}-0 via ${role}: forced disconnect failure)`,
      );
      assert.ok(error instanceof MonolithError);
      assert.equal(error.code, 'NonFiniteLoss');
      assert.deepEqual(error.details, { step: 3 });
      assert.deepEqual(counts(discovery), [1, 0, 1, 1]);
    });

    test(`#15 after a ${role} succeeded, a failing deregister comes out, and the discovery is closed all the same`, async () => {
      const { discovery, text } = await outcome(role, { deregister: fails('forced deregister failure') });
      assert.match(
        text,
        new RegExp(
          `^forced deregister failure \\(discovery cleanup encountered issues after successful role completion: deregister ${role}-0 from ${role}`,
        ),
      );
      assert.deepEqual(counts(discovery), [1, 1, 1, 1]);
    });

    test(`#15 after a ${role} succeeded, a failing close comes out; deregister leads when both fail`, async () => {
      const one = await outcome(role, { close: fails('forced disconnect failure') });
      assert.match(one.text, /^forced disconnect failure \(/);
      const both = await outcome(role, { deregister: fails('forced deregister failure'), close: fails('forced disconnect failure') });
      assert.match(
        both.text,
        new RegExp(
          `^deregister ${role}-0 from ${role}: forced deregister failure \\(.*disconnect ${role}-0 via ${role}: forced disconnect failure\\)$`,
        ),
      );
    });

    test(`#15 a ${role} that can't connect closes the discovery and does nothing else`, async () => {
      let ran = false;
      const { discovery, text } = await outcome(role, { connect: fails('forced connect failure'), close: fails('and close') }, async () => {
        ran = true;
        return '';
      });
      assert.equal(
        text,
        `forced connect failure (discovery cleanup encountered issues after role error: disconnect ${role}-0 via ${role}: and close)`,
      );
      assert.deepEqual(discovery.calls, ['connect', 'close']);
      assert.equal(ran, false);
    });

    test(`#15 a backend that hangs holds a ${role} up for bounded times`, async () => {
      const limits = { discoveryOperationTimeoutMs: 30, discoveryCleanupTimeoutMs: 20 };
      const connecting = await outcome(role, { connect: hangs, close: hangs }, announces, limits);
      assert.match(connecting.text, new RegExp(`^Timed out during discovery operation: connect ${role}-0 via ${role} after 30ms`));
      assert.match(connecting.text, new RegExp(`Timed out during discovery cleanup: disconnect ${role}-0 via ${role} after 20ms`));
      const registering = await outcome(role, { register: hangs, deregister: hangs, close: hangs }, announces, limits);
      assert.match(registering.text, new RegExp(`^Timed out during discovery operation: register ${role}-0 as ${role} after 30ms`));
      assert.match(registering.text, new RegExp(`Timed out during discovery cleanup: deregister ${role}-0 from ${role} after 20ms`));
      assert.deepEqual(counts(registering.discovery), [1, 1, 1, 1]);
    });

    test(`#78 #80 a ${role} whose registration fails deregisters once and closes once; the registration's error comes out`, async () => {
      const script = { register: fails('forced register failure'), deregister: fails('forced deregister failure') };
      const { discovery, text } = await outcome(role, script);
      assert.match(text, /^forced register failure/);
      assert.match(text, /forced deregister failure/);
      assert.deepEqual(counts(discovery), [1, 1, 1, 1]);
      const clean = await outcome(role, { register: fails('forced register failure') });
      assert.equal(clean.text, 'forced register failure');
      assert.deepEqual(counts(clean.discovery), [1, 1, 1, 1]);
    });
  });
}

describe('#15 names', () => {
  test('#15 services carry their own names and the types of the configuration', async () => {
    const discovery = new MemoryDiscovery();
    const config = configOf('worker', { index: 2, numWorkers: 3, discoveryServiceTypeWorker: 'trainer' });
    await runDistributed(discovery, config, async ({ announce, serviceId }) => {
      assert.equal(serviceId, 'worker-2');
      await announce('127.0.0.1:1', { zone: 'a' });
      const [service] = await discovery.discover('trainer');
      assert.equal(service.id, 'worker-2');
      assert.deepEqual(service.metadata, { addr: '127.0.0.1:1', index: '2', zone: 'a' });
    });
    assert.deepEqual(await discovery.discover('trainer'), []);
  });

  test('#15 a process that moved is found where it is; a shard that is gone is not found', async () => {
    const discovery = new MemoryDiscovery();
    await runDistributed(discovery, configOf('ps'), async (ps) => {
      await ps.announce('127.0.0.1:1');
      await runDistributed(discovery, configOf('worker'), async ({ parameterServers, addressOfShard }) => {
        assert.deepEqual(await parameterServers(), ['127.0.0.1:1']);
        await ps.announce('127.0.0.1:2');
        assert.equal(await addressOfShard(0), '127.0.0.1:2');
        assert.equal(await addressOfShard(1), null);
      });
    });
  });
});

describe('#64 heartbeats', () => {
  /** Until `condition` holds; the test runner's own limit ends it otherwise. */
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  for (const role of ['ps', 'worker'] as const) {
    test(`#64 a ${role} sends them while it runs, and none after it was cancelled`, async () => {
      const discovery = new ScriptedDiscovery();
      const end = new AbortController();
      const run = runDistributed(
        discovery,
        configOf(role, { heartbeatIntervalMs: 10 }),
        async ({ announce, signal }) => {
          await announce('127.0.0.1:1');
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
        { signal: end.signal },
      );
      await until(() => discovery.count('heartbeat') >= 3);
      end.abort();
      await run;
      const count = discovery.count('heartbeat');
      await pause(40);
      assert.equal(discovery.count('heartbeat'), count);
      await pause(40);
      assert.equal(discovery.count('heartbeat'), count);
      assert.deepEqual(discovery.calls.slice(-2), ['deregister', 'close']);
    });
  }

  test('#64 a worker sends them while it waits for parameter servers', async () => {
    const discovery = new ScriptedDiscovery();
    const config = configOf('worker', { heartbeatIntervalMs: 5, connectRetries: 30, retryBackoffMs: 5 });
    await assert.rejects(
      runDistributed(discovery, config, async ({ announce, parameterServers }) => {
        await announce('127.0.0.1:1');
        await parameterServers();
      }),
      /Timed out waiting for PS discovery/,
    );
    const first = discovery.calls.indexOf('heartbeat');
    assert.ok(first >= 0 && first < discovery.calls.lastIndexOf('discover'));
  });

  test('#64 a failing heartbeat is a line for the operator and nothing else', async () => {
    const discovery = new ScriptedDiscovery({ heartbeat: fails('forced heartbeat failure') });
    const lines: string[] = [];
    await runDistributed(
      discovery,
      configOf('ps', { heartbeatIntervalMs: 2 }),
      async ({ announce }) => {
        await announce('127.0.0.1:1');
        await until(() => lines.length >= 2);
      },
      { log: (line) => lines.push(line) },
    );
    assert.equal(lines[0], 'discovery heartbeat of ps-0 failed: forced heartbeat failure');
  });

  test('#64 a heartbeat that hangs does not hold up the end, and is not joined by a second one', async () => {
    const discovery = new ScriptedDiscovery({ heartbeat: hangs });
    const started = performance.now();
    await runDistributed(discovery, configOf('ps', { heartbeatIntervalMs: 1 }), async ({ announce }) => {
      await announce('127.0.0.1:1');
      await until(() => discovery.count('heartbeat') > 0);
      await pause(20);
    });
    assert.equal(discovery.count('heartbeat'), 1);
    assert.ok(performance.now() - started < 5000);
  });

  test('#64 none are sent when none are configured', async () => {
    const discovery = new ScriptedDiscovery();
    await runDistributed(discovery, configOf('ps', { heartbeatIntervalMs: null }), async ({ announce }) => {
      await announce('127.0.0.1:1');
      await pause(20);
    });
    assert.equal(discovery.count('heartbeat'), 0);
  });
});
