import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { RunLock } from '../../src/checkpoint/index.js';

const root = mkdtempSync(join(tmpdir(), 'monolith-local-lock-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folder = (): string => join(root, String(folders++));

/** A lock as a process would have left it. */
function leave(path: string, holder: object): void {
  writeFileSync(join(path, 'run.lock'), JSON.stringify(holder));
}

describe('the lock of a run folder', () => {
  test('keeps everybody else out until it is given back, and leaves nothing behind', async () => {
    const path = folder();
    const lock = await RunLock.take(path);
    await assert.rejects(RunLock.take(path), {
      code: 'RunFolderBusy',
      message: new RegExp(`process ${process.pid} is training there`),
    });
    await lock.close();
    assert.equal(existsSync(path), false);
    mkdirSync(path);
    await (await RunLock.take(path)).close();
    assert.deepEqual(readdirSync(path), []);
  });

  test('of two that come at once one gets it', async () => {
    const path = folder();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => RunLock.take(path)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.deepEqual(readdirSync(path), ['run.lock']);
  });

  test('a holder that was killed is no holder, nor is another process with its number', async () => {
    const path = folder();
    const killed = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(killed, 'spawn');
    const holder = { pid: killed.pid, started: null, host: hostname(), token: 'x' };
    mkdirSync(path);
    leave(path, holder);
    await assert.rejects(RunLock.take(path), { code: 'RunFolderBusy' });
    const gone = once(killed, 'exit');
    killed.kill('SIGKILL');
    await gone;
    const lock = await RunLock.take(path);
    await lock.close();
    if (!existsSync('/proc/self/stat')) return;
    leave(path, { ...holder, pid: process.pid, started: 'another boot:1' });
    await (await RunLock.take(path)).close();
  });

  test('a torn or foreign file in its place is taken over; a run on another host is not', async () => {
    const path = folder();
    mkdirSync(path);
    for (const text of ['', '{"pid":', '[]', 'null', '{"pid":"x"}']) {
      writeFileSync(join(path, 'run.lock'), text);
      await (await RunLock.take(path)).close();
    }
    leave(path, { pid: 1, started: null, host: `not-${hostname()}`, token: 'x' });
    await assert.rejects(RunLock.take(path), { code: 'RunFolderBusy', message: /delete .*run\.lock/ });
    const silent = new Date(Date.now() - 301_000);
    utimesSync(join(path, 'run.lock'), silent, silent);
    await (await RunLock.take(path)).close();
  });

  test('what the folder is for stands in the error, and says how long another host may be silent', async () => {
    const path = folder();
    mkdirSync(path);
    const use = { doing: 'keeps a journal there', asker: 'server', option: '--state-folder', silentMs: 15_000 };
    leave(path, { pid: 1, started: null, host: `not-${hostname()}`, token: 'x' });
    await assert.rejects(RunLock.take(path, use), {
      code: 'RunFolderBusy',
      message: /process 1 on not-.* keeps a journal there; .*give this server another --state-folder; .*wait 15 seconds or delete/,
    });
    const silent = new Date(Date.now() - 16_000);
    utimesSync(join(path, 'run.lock'), silent, silent);
    await (await RunLock.take(path, use)).close();
  });

  test('giving back leaves the lock of one that took over alone', async () => {
    const path = folder();
    const lock = await RunLock.take(path);
    const other = { pid: process.pid, started: null, host: hostname(), token: 'other' };
    leave(path, other);
    await lock.close();
    assert.deepEqual(JSON.parse(readFileSync(join(path, 'run.lock'), 'utf8')), other);
  });
});
