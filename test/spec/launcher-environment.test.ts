import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  launchedPlace,
  launcherBackend,
  launcherLocalRank,
  launcherLocalSize,
  launcherRank,
  launcherSize,
  resolveConfig,
} from '../../src/index.js';
import { lastEvent, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

type Variables = Record<string, string>;

function numbers(variables: Variables): number[] {
  return [launcherRank, launcherSize, launcherLocalRank, launcherLocalSize].map((figure) => figure(variables));
}

describe('#5c what a launcher says of a process', () => {
  test('#5c MONOLITH_WITH_BYTEPS chooses the names', () => {
    for (const value of ['1', 'true', ' YES ', 'y', 'On', '2', '-1', '+7', '007']) {
      assert.equal(launcherBackend({ MONOLITH_WITH_BYTEPS: value }), 'byteps', value);
    }
    for (const value of ['0', 'false', 'no', 'n', 'off', '', '00', '-0', 'maybe', '1.5', '0x1']) {
      assert.equal(launcherBackend({ MONOLITH_WITH_BYTEPS: value }), 'horovod', value);
    }
    assert.equal(launcherBackend({}), 'horovod');
  });

  test('#5c Horovod, Open MPI and BytePS each in their own names', () => {
    const horovod = { HOROVOD_RANK: '2', HOROVOD_SIZE: '8', HOROVOD_LOCAL_RANK: '1', HOROVOD_LOCAL_SIZE: '4' };
    assert.deepEqual(numbers(horovod), [2, 8, 1, 4]);
    const byteps = { BYTEPS_RANK: '3', BYTEPS_SIZE: '16', BYTEPS_LOCAL_RANK: '2', BYTEPS_LOCAL_SIZE: '8' };
    assert.deepEqual(numbers({ ...horovod, ...byteps, MONOLITH_WITH_BYTEPS: '1' }), [3, 16, 2, 8]);
    assert.deepEqual(numbers({ ...horovod, ...byteps }), [2, 8, 1, 4]);
    const openMpi = {
      OMPI_COMM_WORLD_RANK: '5',
      OMPI_COMM_WORLD_SIZE: '6',
      OMPI_COMM_WORLD_LOCAL_RANK: '1',
      OMPI_COMM_WORLD_LOCAL_SIZE: '2',
    };
    assert.deepEqual(numbers(openMpi), [5, 6, 1, 2]);
    assert.deepEqual(numbers({ ...openMpi, ...horovod }), [2, 8, 1, 4]);
    const plain = { RANK: '4', WORLD_SIZE: '9', LOCAL_RANK: '3', LOCAL_WORLD_SIZE: '7' };
    assert.deepEqual(numbers(plain), [4, 9, 3, 7]);
    assert.deepEqual(numbers({ ...plain, ...openMpi, MONOLITH_WITH_BYTEPS: 'yes' }), [4, 9, 3, 7]);
  });

  test('#5c what is set first decides, be it unreadable; nothing goes below 0 and 1', () => {
    assert.deepEqual(numbers({ HOROVOD_RANK: 'invalid', HOROVOD_SIZE: '-2', LOCAL_WORLD_SIZE: '0' }), [0, 1, 0, 1]);
    assert.deepEqual(numbers({ HOROVOD_RANK: '', OMPI_COMM_WORLD_RANK: '3', RANK: '4' }), [0, 1, 0, 1]);
    assert.deepEqual(numbers({}), [0, 1, 0, 1]);
  });

  test('#5c a process that no launcher started has no place', () => {
    assert.equal(launchedPlace({}), null);
    assert.equal(launchedPlace({ RANK: '1' }), null);
    assert.equal(launchedPlace({ HOROVOD_RANK: 'x', HOROVOD_SIZE: '2' }), null);
    assert.equal(launchedPlace({ RANK: '2', WORLD_SIZE: '2' }), null);
    assert.deepEqual(launchedPlace({ OMPI_COMM_WORLD_RANK: '1', WORLD_SIZE: '2' }), {
      rank: 1,
      size: 2,
      rankVariable: 'OMPI_COMM_WORLD_RANK',
      sizeVariable: 'WORLD_SIZE',
    });
  });
});

describe('#5c a process of a run on several hosts that a launcher started', () => {
  const flags = { distributed: true, discovery: 'host-files', 'discovery-folder': '/jobs/7' };
  const openMpi = (rank: number, size = 3): Variables => ({ OMPI_COMM_WORLD_RANK: String(rank), OMPI_COMM_WORLD_SIZE: String(size) });
  const place = (more: Record<string, unknown>, env: Variables): unknown[] => {
    const { config } = resolveConfig({ flags: { ...flags, ...more }, env });
    return [config.distributed.role, config.distributed.index, config.workers];
  };

  test('#5c rank 0 is the chief, the others are workers, their number is the number of workers', () => {
    assert.deepEqual(place({}, openMpi(0)), ['chief', 0, 3]);
    assert.deepEqual(place({}, openMpi(2)), ['worker', 2, 3]);
    assert.deepEqual(place({}, { RANK: '1', WORLD_SIZE: '2' }), ['worker', 1, 2]);
    assert.deepEqual(place({}, { MONOLITH_WITH_BYTEPS: '1', BYTEPS_RANK: '1', BYTEPS_SIZE: '4' }), ['worker', 1, 4]);
    const { origins } = resolveConfig({ flags, env: openMpi(2) });
    assert.equal(origins.get('distributed.index'), 'OMPI_COMM_WORLD_RANK');
    assert.equal(origins.get('workers'), 'OMPI_COMM_WORLD_SIZE');
  });

  test('#5c what is given goes before the launcher', () => {
    assert.deepEqual(place({ workers: '8' }, openMpi(2)), ['worker', 2, 8]);
    assert.deepEqual(place({ role: 'worker', index: '1' }, openMpi(2)), ['worker', 1, 3]);
    assert.deepEqual(place({ role: 'worker' }, openMpi(2)), ['worker', 2, 3]);
    assert.deepEqual(place({ role: 'ps', ps: '2', index: '1', workers: '2' }, openMpi(2)), ['ps', 1, 2]);
    assert.deepEqual(place({ role: 'chief' }, openMpi(2)), ['chief', 0, 3]);
    assert.deepEqual(place({ launcher: 'none' }, openMpi(2)), ['chief', 0, 2]);
    assert.deepEqual(place({ discovery: 'tf-config' }, openMpi(2)), ['chief', 0, 2]);
  });

  test('#5c a run on one host looks at no launcher', () => {
    const { config } = resolveConfig({ flags: {}, env: openMpi(2) });
    assert.deepEqual([config.distributed.role, config.distributed.index, config.workers], ['chief', 0, 2]);
    assert.deepEqual(place({}, {}), ['chief', 0, 2]);
  });
});

test('#5c processes with the variables of mpirun -np 2 and one command line train together', async () => {
  const folder = await temporaryFolder('mpirun');
  const runs: ReturnType<typeof startCli>[] = [];
  try {
    writeClicks(folder.in('train.csv'), 400, 1);
    writeClicks(folder.in('test.csv'), 50, 2);
    writeFileSync(folder.in('config.yaml'), clickConfig(folder.path));
    const job = [folder.in('config.yaml'), '--ps', '1', '--discovery', 'host-files', '--discovery-folder', folder.in('discovery')];
    runs.push(startCli(['ps', ...job, '--workers', '2', '--index', '0']));
    for (const rank of ['0', '1']) {
      const env = {
        OMPI_COMM_WORLD_RANK: rank,
        OMPI_COMM_WORLD_SIZE: '2',
        OMPI_COMM_WORLD_LOCAL_RANK: rank,
        OMPI_COMM_WORLD_LOCAL_SIZE: '2',
      };
      const line = ['train', ...job, '--distributed', '--model-dir', folder.in('model'), '--max-steps', '5', '--json'];
      runs.push(startCli(line, { env }));
    }
    const [ps, chief, worker] = await Promise.all(runs.map(({ done }) => done));
    for (const { code, stderr } of [ps, chief, worker]) assert.equal(code, 0, stderr);
    const done = lastEvent(chief);
    assert.deepEqual([done.event, done.step, done.examples], ['done', 5, 5 * 2 * 32]);
    assert.equal(worker.stdout, '');
  } finally {
    for (const { child, done } of runs) {
      child.kill('SIGKILL');
      await done;
    }
    await folder.remove();
  }
});
