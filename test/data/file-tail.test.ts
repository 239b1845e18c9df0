import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { StreamOffset } from '../../src/data/index.js';
import { FileSeries } from '../../src/data/stream/file-series.js';
import { FileTail, type TailOptions } from '../../src/data/stream/file-tail.js';
import { hasCode } from '../helpers/has-code.js';
import { TestHost } from '../helpers/stream-host.js';
import { temporaryFolder } from './helpers.js';

const folder = temporaryFolder();
let files = 0;

/** A path for a file of its own folder, so that what lies beside it belongs to the test. */
function freshPath(): string {
  const own = join(folder, `t${files++}`);
  mkdirSync(own);
  return join(own, 'clicks.log');
}

const defaults: TailOptions = { start: 'earliest', lost: 'fail', maxRecordBytes: 1 << 20, isHeader: () => false };

async function tail(path: string, options: Partial<TailOptions> = {}, positions?: ReadonlyMap<string, StreamOffset>) {
  const source = new FileTail(path, { ...defaults, ...options });
  const host = await new TestHost(source, positions).open();
  return { source, host };
}

function lines(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `line ${from + i}`);
}

function text(from: number, to: number): string {
  return lines(from, to)
    .map((line) => `${line}\n`)
    .join('');
}

describe('a file that is followed', () => {
  test('gives what stands in it, then what is written to it, and a line only when it has its end', async () => {
    const path = freshPath();
    writeFileSync(path, `${text(0, 3)}half`);
    const { source, host } = await tail(path);
    assert.deepEqual(await host.take(3), lines(0, 3));
    const next = host.take(2);
    appendFileSync(path, ' a line');
    appendFileSync(path, '\nlast\n');
    assert.deepEqual(await next, ['half a line', 'last']);
    await source.close();
  });

  test('is waited for where it is not there yet', async () => {
    const path = freshPath();
    const { source, host } = await tail(path);
    assert.match(host.notes[0], /no such file yet/);
    const first = host.take(2);
    writeFileSync(path, text(0, 2));
    assert.deepEqual(await first, lines(0, 2));
    await source.close();
  });

  test('goes on over a rotation by renaming, with what was written to the old file last', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 2));
    const { source, host } = await tail(path);
    await host.take(2);
    const next = host.take(4);
    appendFileSync(path, text(2, 3));
    renameSync(path, `${path}.1`);
    // The writer still has the old file open.
    appendFileSync(`${path}.1`, `${text(3, 4)}no end`);
    writeFileSync(path, text(5, 6));
    assert.deepEqual(await next, ['line 2', 'line 3', 'no end', 'line 5']);
    await source.close();
  });

  test('goes on over several rotations that happened while nobody read', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 4));
    const { source, host } = await tail(path);
    await host.take(2);
    await source.close();
    renameSync(path, `${path}.1`);
    writeFileSync(path, text(4, 6));
    renameSync(`${path}.1`, `${path}.2`);
    renameSync(path, `${path}.1`);
    writeFileSync(path, text(6, 7));
    const again = await tail(path, {}, host.positions);
    assert.deepEqual(await again.host.take(5), lines(2, 7));
    await again.source.close();
  });

  test('begins anew where it was cut to nothing, and says that something may be gone', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 3));
    const { source, host } = await tail(path);
    await host.take(3);
    const next = host.take(1);
    truncateSync(path, 0);
    appendFileSync(path, text(7, 8));
    assert.deepEqual(await next, ['line 7']);
    assert.match(host.notes.join('\n'), /was cut and begins anew/);
    await source.close();
  });

  test('goes on in the copy where it was copied and cut, also when it has grown beyond the old place since', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 3));
    const { source, host } = await tail(path);
    await host.take(2);
    await source.close();
    appendFileSync(path, text(3, 5));
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, text(50, 60));
    const again = await tail(path, {}, host.positions);
    assert.deepEqual(await again.host.take(13), [...lines(2, 5), ...lines(50, 60)]);
    assert.deepEqual(again.host.notes, []);
    await again.source.close();
  });

  test('goes on in the copy where that happens while it is read', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 3));
    const { source, host } = await tail(path);
    await host.take(3);
    appendFileSync(path, text(3, 5));
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, text(50, 60));
    assert.deepEqual(await host.take(12), [...lines(3, 5), ...lines(50, 60)]);
    await source.close();
  });

  test('that is gone is an error with the place and the option that goes on, which does', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 4));
    const { source, host } = await tail(path);
    await host.take(2);
    await source.close();
    rmSync(path);
    writeFileSync(path, text(8, 9));
    await assert.rejects(tail(path, {}, host.positions), hasCode('DataNotFound', /byte 14 of a file that is gone.*--stream-lost skip/));
    const again = await tail(path, { lost: 'skip' }, host.positions);
    assert.deepEqual(await again.host.take(1), ['line 8']);
    await again.source.close();
  });

  test('leaves a header and a byte-order mark out, in each file anew', async () => {
    const path = freshPath();
    writeFileSync(path, `\uFEFFa,b\n${text(0, 1)}`);
    const { source, host } = await tail(path, { isHeader: (line) => Buffer.from(line).toString() === 'a,b\n' });
    const next = host.take(2);
    renameSync(path, `${path}.1`);
    writeFileSync(path, `a,b\n${text(1, 2)}`);
    assert.deepEqual(await next, lines(0, 2));
    await source.close();
  });

  test('is read from its present end on where that is asked for', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 3));
    const { source, host } = await tail(path, { start: 'latest' });
    const next = host.take(1);
    appendFileSync(path, text(3, 4));
    assert.deepEqual(await next, ['line 3']);
    await source.close();
  });

  test('has offsets that compare in the order of reading', async () => {
    const path = freshPath();
    writeFileSync(path, text(0, 2));
    const { source, host } = await tail(path);
    await host.take(1);
    const first = host.positions.get(source.name) as StreamOffset;
    await host.take(1).then(() => renameSync(path, `${path}.1`));
    writeFileSync(path, text(2, 3));
    await host.take(1);
    const last = host.positions.get(source.name) as StreamOffset;
    assert.ok(source.compare(first, last) < 0 && source.compare(last, first) > 0 && source.compare(last, last) === 0);
    await source.close();
  });

  test('with a line longer than allowed is an error', async () => {
    const path = freshPath();
    writeFileSync(path, 'x'.repeat(200_000));
    const { source, host } = await tail(path, { maxRecordBytes: 100_000 });
    await assert.rejects(host.take(1), hasCode('DataFormat', /longer than 100000 bytes/));
    await source.close();
  });

  test('in a folder that is not there is an error', async () => {
    await assert.rejects(tail(join(folder, 'nowhere', 'x.log')), hasCode('DataNotFound', /no folder/));
  });
});

describe('files that come one after another', () => {
  const series = async (pattern: string, positions?: ReadonlyMap<string, StreamOffset>, options: Partial<TailOptions> = {}) => {
    const source = new FileSeries(pattern, { ...defaults, ...options });
    return { source, host: await new TestHost(source, positions).open() };
  };

  test('are read in the order of names, the last one as it grows, over a restart', async () => {
    const own = join(freshPath(), '..');
    writeFileSync(join(own, 'b-1.log'), text(0, 2));
    writeFileSync(join(own, 'other.txt'), text(90, 91));
    const { source, host } = await series(join(own, 'b-*.log'));
    await host.take(2);
    const next = host.take(3);
    appendFileSync(join(own, 'b-1.log'), `${text(2, 3)}no end`);
    writeFileSync(join(own, 'b-2.log'), text(4, 8));
    assert.deepEqual(await next, ['line 2', 'no end', 'line 4']);
    await source.close();
    const again = await series(join(own, 'b-*.log'), host.positions);
    const rest = again.host.take(5);
    writeFileSync(join(own, 'b-3.log'), text(8, 10));
    assert.deepEqual(await rest, lines(5, 10));
    await again.source.close();
  });

  test('of a name before those that are read come too late, which is told of', async () => {
    const own = join(freshPath(), '..');
    writeFileSync(join(own, '5.log'), text(0, 1));
    const { source, host } = await series(own);
    await host.take(1);
    const next = host.take(1);
    writeFileSync(join(own, '4.log'), text(1, 2));
    writeFileSync(join(own, '6.log'), text(2, 3));
    assert.deepEqual(await next, ['line 2']);
    assert.match(host.notes.join('\n'), /4\.log: came behind files of later names/);
    await source.close();
  });

  test('of which the one in hand is gone are an error, or are gone on with behind it', async () => {
    const own = join(freshPath(), '..');
    writeFileSync(join(own, '1.log'), text(0, 3));
    writeFileSync(join(own, '2.log'), text(3, 4));
    const { source, host } = await series(own);
    await host.take(1);
    await source.close();
    rmSync(join(own, '1.log'));
    await assert.rejects(series(own, host.positions), hasCode('DataNotFound', /1\.log, which is gone.*--stream-lost skip/));
    const again = await series(own, host.positions, { lost: 'skip' });
    assert.deepEqual(await again.host.take(1), ['line 3']);
    await again.source.close();
  });
});
