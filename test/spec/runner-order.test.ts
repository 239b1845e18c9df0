import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type DistributedRunConfig,
  defaultDistributedRunConfig,
  MonolithError,
  orderPsAddresses,
  runDistributed,
  type ServiceInfo,
} from '../../src/index.js';
import { psService, ScriptedDiscovery } from '../helpers/scripted-discovery.js';

const at = (port: number, index?: string): ServiceInfo => psService(`10.0.0.1:${port}`, index);
const addresses = (...ports: number[]): string[] => ports.map((port) => `10.0.0.1:${port}`);

function issueOf(services: readonly ServiceInfo[], numPs: number): string {
  try {
    orderPsAddresses(services, numPs);
  } catch (error) {
    assert.ok(error instanceof MonolithError);
    return error.code;
  }
  return 'none';
}

describe('the order of parameter servers', () => {
  test('#69 the index that all of them name decides, else their addresses', () => {
    assert.deepEqual(orderPsAddresses([at(10_001, '1'), at(20_001, '0')], 2), addresses(20_001, 10_001));
    assert.deepEqual(orderPsAddresses([at(30_001), at(20_001)], 2), addresses(20_001, 30_001));
    assert.deepEqual(orderPsAddresses([at(30_001), at(20_001), at(30_001)], 2), addresses(20_001, 30_001));
    const many = Array.from({ length: 12 }, (_, i) => at(1000 + i, String(11 - i)));
    assert.deepEqual(orderPsAddresses(many, 12), addresses(...Array.from({ length: 12 }, (_, i) => 1011 - i)));
  });

  test('#70 every index below the number must be there; higher ones are left out', () => {
    assert.equal(issueOf([at(1, '0'), at(2, '2')], 2), 'MissingOrGappedIndexSet');
    assert.deepEqual(orderPsAddresses([at(3, '7'), at(2, '1'), at(1, '0')], 2), addresses(1, 2));
  });

  test('#71 one index at two addresses is refused, the same one twice is not', () => {
    assert.equal(issueOf([at(1, '0'), at(2, '0')], 1), 'ConflictingDuplicateIndex');
    assert.deepEqual(orderPsAddresses([at(1, '0'), at(1, '0'), at(2, '1')], 2), addresses(1, 2));
  });

  test('#73 an index that some name and some do not, or that is no number, is refused', () => {
    assert.equal(issueOf([at(1, '0'), at(2)], 2), 'MixedIndexMetadataPresence');
    for (const text of ['x', '', '-1', '1.5', '1e3', ' 1', '99999999999999999999']) {
      assert.equal(issueOf([at(1, '0'), at(2, text)], 2), 'InvalidIndexMetadata', `"${text}"`);
      assert.equal(issueOf([at(1), at(2, text)], 2), 'InvalidIndexMetadata', `"${text}" beside none`);
    }
  });

  test('#69 #70 #71 #73 any set of services gives the order or the issue that a plain reading of the rules gives', () => {
    const service = fc.record({ port: fc.integer({ min: 1, max: 4 }), index: fc.constantFrom(undefined, '0', '1', '2', '3', 'x') });
    fc.assert(
      fc.property(fc.array(service, { maxLength: 6 }), fc.integer({ min: 1, max: 3 }), (list, numPs) => {
        const services = list.map(({ port, index }) => at(port, index));
        const indices: (string | undefined)[] = list.map(({ index }) => index);
        const pairs = new Set(list.map(({ port, index }) => `${index} ${port}`));
        const wanted = Array.from({ length: numPs }, (_, i) => String(i));
        let expected: string | string[];
        if (indices.every((index) => index === undefined)) {
          expected = addresses(...[...new Set(list.map(({ port }) => port))].sort());
          assert.deepEqual(orderPsAddresses(services, numPs), expected);
          return;
        }
        if (indices.includes('x')) expected = 'InvalidIndexMetadata';
        else if (indices.includes(undefined)) expected = 'MixedIndexMetadataPresence';
        else if (pairs.size !== new Set(indices).size) expected = 'ConflictingDuplicateIndex';
        else if (wanted.some((index) => !indices.includes(index))) expected = 'MissingOrGappedIndexSet';
        else {
          expected = addresses(...wanted.map((index) => list.find((one) => one.index === index)?.port as number));
          assert.deepEqual(orderPsAddresses(services, numPs), expected);
          return;
        }
        assert.equal(issueOf(services, numPs), expected);
      }),
      { numRuns: 1000 },
    );
  });
});

/** A worker that waits for parameter servers and gives their addresses back. */
function waiting(answers: readonly (readonly ServiceInfo[] | Error)[], change: Partial<DistributedRunConfig>) {
  const discovery = new ScriptedDiscovery({ answers });
  const config = { ...defaultDistributedRunConfig, retryBackoffMs: 1, ...change };
  return { discovery, found: runDistributed(discovery, config, (context) => context.parameterServers()) };
}

async function failure(
  answers: readonly (readonly ServiceInfo[] | Error)[],
  change: Partial<DistributedRunConfig>,
): Promise<MonolithError> {
  try {
    await waiting(answers, change).found;
  } catch (error) {
    assert.ok(error instanceof MonolithError);
    assert.equal(error.code, 'DiscoveryTimeout');
    assert.match(error.message, /^Timed out waiting for PS discovery/);
    return error;
  }
  return assert.fail('the worker found parameter servers');
}

const mixed = [at(1, '0'), at(2)];
const gapped = [at(1, '0'), at(2, '2')];

describe('waiting for parameter servers', () => {
  test('#70 a gap means no connection attempt; the worker goes on once it is closed', async () => {
    const { discovery, found } = waiting([[], gapped, [at(5)], [at(1, '0'), at(2, '1'), at(9, '2')]], { numPs: 2 });
    assert.deepEqual(await found, addresses(1, 2));
    assert.equal(discovery.count('discover'), 4);
  });

  test('#75 what was wrong until the retries were used up stands in the error', async () => {
    const error = await failure([gapped], { numPs: 2, connectRetries: 2 });
    assert.match(
      error.message,
      /^Timed out waiting for PS discovery for worker-0 \(service type: ps\): got 0 expected 2 \(attempts: 3; max raw observed: 2; max usable observed: 0; last ordering issue: MissingOrGappedIndexSet\)/,
    );
    assert.match(error.message, /1 is missing; found 0, 2/);
    assert.equal(error.details.orderingIssue, 'MissingOrGappedIndexSet');
    assert.equal(error.details.attempts, 3);
  });

  test('#75 without any issue the numbers stand alone', async () => {
    const error = await failure([[at(1)], []], { index: 1, numWorkers: 2, numPs: 3, connectRetries: 1, discoveryServiceTypePs: 'server' });
    assert.equal(
      error.message,
      'Timed out waiting for PS discovery for worker-1 (service type: server): got 0 expected 3 (attempts: 2; max raw observed: 1; max usable observed: 1)',
    );
  });

  test('#76 mixed metadata and no retries', async () => {
    assert.match(
      (await failure([mixed], { numPs: 2, connectRetries: 0 })).message,
      /attempts: 1; .*last ordering issue: MixedIndexMetadataPresence/,
    );
  });

  test('#79 an issue of an earlier look survives one that found nothing', async () => {
    assert.match((await failure([mixed, []], { numPs: 2, connectRetries: 1 })).message, /last ordering issue: MixedIndexMetadataPresence/);
  });

  test('#79 a consistent set clears it', async () => {
    assert.doesNotMatch((await failure([mixed, [at(1)]], { numPs: 2, connectRetries: 1 })).message, /ordering issue/);
  });

  test('#81 a failure of the backend survives an answer that is empty only until the backend answers', async () => {
    const forced = new Error('forced discover failure');
    assert.match((await failure([forced], { connectRetries: 1 })).message, /; last discovery error: forced discover failure\)$/);
    assert.match((await failure([[], forced], { connectRetries: 1 })).message, /; last discovery error: forced discover failure\)$/);
    assert.doesNotMatch((await failure([forced, []], { connectRetries: 1 })).message, /discovery error/);
  });

  test('#82 both are told', async () => {
    const error = await failure([mixed, new Error('forced discover failure')], { numPs: 2, connectRetries: 1 });
    assert.match(error.message, /last ordering issue: MixedIndexMetadataPresence; last discovery error: forced discover failure\)/);
    assert.equal(error.details.discoveryError, 'forced discover failure');
  });

  test('#15 a look that hangs counts as one that failed', async () => {
    const discovery = new ScriptedDiscovery({ discover: () => new Promise(() => {}) });
    const config = { ...defaultDistributedRunConfig, connectRetries: 0, discoveryOperationTimeoutMs: 20 };
    await assert.rejects(
      runDistributed(discovery, config, (context) => context.parameterServers()),
      /last discovery error: Timed out during discovery operation: discover worker-0 for ps after 20ms\)$/,
    );
  });

  test('#75 the signal ends a wait at once', async () => {
    const discovery = new ScriptedDiscovery({ answers: [[]] });
    const end = new AbortController();
    const run = runDistributed(
      discovery,
      { ...defaultDistributedRunConfig, retryBackoffMs: 60_000 },
      (context) => context.parameterServers(),
      {
        signal: end.signal,
      },
    );
    while (discovery.count('discover') === 0) await new Promise((resolve) => setImmediate(resolve));
    end.abort(new MonolithError('Aborted', 'stopped by a signal'));
    await assert.rejects(run, /stopped by a signal/);
    assert.equal(discovery.count('close'), 1);
  });
});
