// The state folder of a shard: torn tails, snapshots that were not finished, and processes that are killed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs, { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '../../src/base/index.js';
import { ShardHost, type ShardJob } from '../../src/ps-rpc/index.js';
import { isLong } from '../helpers/board.js';
import { startHost, startJob, stopHost } from '../helpers/hosted-job.js';
import { ScriptedWorkers, stateOf, undisturbed } from '../helpers/scripted-job.js';

const folders = { root: '' };
before(() => {
  folders.root = mkdtempSync(join(tmpdir(), 'monolith-store-'));
});
after(() => {
  rmSync(folders.root, { recursive: true, force: true });
});

const fileOf = (folder: string, kind: 'journal' | 'snapshot'): string => {
  const name = readdirSync(folder).find((file) => file.startsWith(kind));
  assert.ok(name !== undefined, `${kind} in ${readdirSync(folder).join(', ')}`);
  return join(folder, name);
};

/** State and acknowledged sequence that a host finds in a folder. */
function restored(folder: string): { state: string; applied: number } | null {
  const host = new ShardHost({ shard: 0, numShards: 1, backend: 'auto', stateFolder: folder });
  const job = host.streams.current as ShardJob | null;
  const found = job === null ? null : { state: stateOf([job.runtime]), applied: job.lines[0].applied };
  host.close();
  return found;
}

/** Runs a job of one worker with a state folder; gives the folder and, per step, the journal's length and the state. */
async function recordedRun(folder: string): Promise<{ bytes: number; state: string; applied: number }[]> {
  const host = await startHost(0, 1, { stateFolder: folder });
  const workers = new ScriptedWorkers({ workers: 1, numShards: 1, steps: 6, prefetch: 0, ids: 40 });
  const { bridges } = await startJob(workers, () => host.server.address);
  const job = host.host.streams.current as ShardJob;
  const marks: { bytes: number; state: string; applied: number }[] = [];
  const mark = (): void => {
    marks.push({ bytes: statSync(fileOf(folder, 'journal')).size, state: '', applied: job.lines[0].applied });
  };
  try {
    await Promise.race([workers.run(10_000, mark), ...bridges.map(({ failed }) => failed)]);
    mark();
    for (const [i, { bytes }] of marks.entries()) {
      const copy = `${folder}-${i}`;
      cpSync(folder, copy, { recursive: true });
      truncateSync(fileOf(copy, 'journal'), bytes);
      marks[i].state = restored(copy)?.state ?? '';
    }
    assert.equal(marks[marks.length - 1].state, stateOf([job.runtime]));
    return marks;
  } finally {
    for (const bridge of bridges) bridge.close();
    workers.stop();
    await stopHost(host);
  }
}

describe('the state folder of a shard', () => {
  test('cut or damaged at any byte of the tail, it gives exactly the pushes that are whole before that byte', async () => {
    const folder = join(folders.root, 'torn');
    const marks = await recordedRun(folder);
    const journal = readFileSync(fileOf(folder, 'journal'));
    const random = new SeededRandom(11);
    const first = marks[0].bytes;
    for (let i = 0; i < 16; i++) {
      const cut = first + random.nextBelow(journal.length - first);
      const copy = join(folders.root, `torn-${i}`);
      cpSync(folder, copy, { recursive: true });
      const path = fileOf(copy, 'journal');
      if (i % 2 === 0) truncateSync(path, cut);
      else {
        const damaged = Buffer.from(journal);
        damaged[cut] ^= 1 << random.nextBelow(8);
        writeFileSync(path, damaged);
      }
      const expected = marks.findLast(({ bytes }) => bytes <= cut);
      assert.deepEqual(restored(copy), { state: expected?.state, applied: expected?.applied }, `byte ${cut} of ${journal.length}`);
      // What is left is whole: a second start finds the same.
      assert.deepEqual(restored(copy), { state: expected?.state, applied: expected?.applied });
      rmSync(copy, { recursive: true });
    }
  });

  test('a snapshot that is not whole is left out, and a folder without one holds no job', async () => {
    const folder = join(folders.root, 'snapshot');
    await recordedRun(folder);
    const snapshot = fileOf(folder, 'snapshot');
    const whole = restored(folder);
    cpSync(snapshot, join(folder, 'snapshot-000999.bin'));
    truncateSync(join(folder, 'snapshot-000999.bin'), statSync(snapshot).size - 1);
    assert.deepEqual(restored(folder), whole);
    truncateSync(snapshot, 100);
    assert.equal(restored(folder), null);
  });
});

test('with flushed journals every change is on the disk before it is acknowledged; without, none is flushed', async () => {
  for (const flushJournal of [true, false]) {
    const folder = join(folders.root, `flushed-${flushJournal}`);
    const host = await startHost(0, 1, { stateFolder: folder, flushJournal });
    const workers = new ScriptedWorkers({ workers: 1, numShards: 1, steps: 6, prefetch: 0, ids: 40 });
    const { bridges } = await startJob(workers, () => host.server.address);
    const [line] = (host.host.streams.current as ShardJob).lines;
    const journal = statSync(fileOf(folder, 'journal')).ino;
    const calls: { what: string; applied: number }[] = [];
    const seen = (what: 'writeSync' | 'fdatasyncSync'): void => {
      const real = fs[what] as (file: number, ...rest: unknown[]) => unknown;
      mock.method(fs, what, (file: number, ...rest: unknown[]) => {
        const result = real(file, ...rest);
        if (fs.fstatSync(file).ino === journal) calls.push({ what, applied: line.applied });
        return result;
      });
    };
    seen('writeSync');
    seen('fdatasyncSync');
    syncBuiltinESMExports();
    try {
      await Promise.race([workers.run(10_000), ...bridges.map(({ failed }) => failed)]);
    } finally {
      mock.restoreAll();
      syncBuiltinESMExports();
      for (const bridge of bridges) bridge.close();
      workers.stop();
      await stopHost(host);
    }
    const written = [...new Set(calls.map(({ applied }) => applied))];
    assert.equal(written.length, 6);
    for (const applied of written) {
      // All that happened to the journal between two acknowledgements: the pieces of one record, then one flush.
      const between = calls.filter((call) => call.applied === applied).map(({ what }) => what);
      assert.ok(between.filter((what) => what === 'writeSync').length >= 2);
      assert.deepEqual(
        between.flatMap((what, i) => (what === 'fdatasyncSync' ? [i] : [])),
        flushJournal ? [between.length - 1] : [],
      );
    }
  }
});

const program = fileURLToPath(new URL('../helpers/shard-process.js', import.meta.url));

async function startProcess(shard: number, folder: string): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [program, String(shard), '2', folder, '0'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const address = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`shard ${shard} ended: ${code ?? signal}`)));
    createInterface({ input: child.stdout }).once('line', resolve);
  });
  return { child, address };
}

/** The restart of a process takes most of the time here; killing goes on for as long as training does in the long form. */
const MOST_KILLS = isLong ? { sync: 20, async: 10 } : { sync: 2, async: 1 };

describe('parameter-server processes that are killed', () => {
  for (const [mode, globalNorm] of [
    ['sync', 0],
    ['sync', 0.5],
    ['async', 0],
  ] as const) {
    test(`kill −9 at random moments and restarts change nothing, ${mode}${globalNorm > 0 ? ', clipped by global norm' : ''}`, async () => {
      const options = { mode, workers: 2, numShards: 2, prefetch: 1, steps: 24, exact: mode === 'async', ids: 300, globalNorm } as const;
      const workers = new ScriptedWorkers(options);
      const paths = [0, 1].map((s) => join(folders.root, `${mode}-${globalNorm}-${s}`));
      const running = await Promise.all(paths.map((path, s) => startProcess(s, path)));
      const { remotes, bridges } = await startJob(workers, (s) => running[s].address, 'job', 30_000);
      const random = new SeededRandom(5);
      let kills = 0;
      let ended = false;
      const killing = (async () => {
        while (!ended && kills < MOST_KILLS[mode]) {
          await new Promise((resolve) => setTimeout(resolve, 5 + random.nextBelow(120)));
          if (ended) return;
          const s = random.nextBelow(2);
          const { child } = running[s];
          const gone = new Promise((resolve) => child.once('exit', resolve));
          child.kill('SIGKILL');
          kills++;
          await gone;
          running[s] = await startProcess(s, paths[s]);
        }
      })();
      try {
        await Promise.race([workers.run(40_000), ...bridges.map(({ failed }) => failed)]);
        ended = true;
        await killing;
        assert.ok(kills >= 1, `${kills} kills`);
        for (const { child } of running) {
          const gone = new Promise((resolve) => child.once('exit', resolve));
          child.kill('SIGKILL');
          await gone;
        }
        const hosts = paths.map((path, s) => new ShardHost({ shard: s, numShards: 2, backend: 'auto', stateFolder: path }));
        assert.equal(stateOf(hosts.map(({ streams }) => (streams.current as ShardJob).runtime)), undisturbed(options));
        for (const host of hosts) host.close();
      } finally {
        ended = true;
        await killing.catch(() => {});
        for (const bridge of bridges) bridge.close();
        for (const remote of remotes) remote.close();
        workers.stop();
        for (const { child } of running) child.kill('SIGKILL');
      }
    });
  }
});
