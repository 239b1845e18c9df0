import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogger, invariant, ManualClock, MonolithError, monotonicMs } from '../../src/base/index.js';

function collect(): { lines: string[]; stream: { write(line: string): void } } {
  const lines: string[] = [];
  return { lines, stream: { write: (line) => lines.push(line) } };
}

describe('logger', () => {
  test('writes plain lines for people', () => {
    const { lines, stream } = collect();
    const logger = createLogger({ stream });
    logger.info('started');
    logger.warn({ step: 310, worker: 1 }, 'slow step');
    logger.error(new MonolithError('DiskFull', 'no room'), 'save failed');
    logger.debug('unseen');
    assert.equal(lines[0], 'started\n');
    assert.equal(lines[1], 'warning: slow step (step 310, worker 1)\n');
    assert.match(lines[2], /^error: save failed: no room/);
    assert.equal(lines.length, 3);
  });

  test('writes one JSON object a line for machines', () => {
    const { lines, stream } = collect();
    createLogger({ stream, json: true, level: 'debug' }).debug({ step: 2 }, 'x');
    const parsed = JSON.parse(lines[0]);
    assert.deepEqual([parsed.level, parsed.step, parsed.msg, parsed.pid], [20, 2, 'x', undefined]);
  });
});

describe('clock and assertions', () => {
  test('a manual clock moves only when told', () => {
    const clock = new ManualClock(5, 1000);
    clock.advance(20);
    clock.setWallClock(3);
    assert.deepEqual([clock.monotonicMs(), clock.wallClock()], [25, 3]);
    const before = monotonicMs();
    assert.ok(monotonicMs() >= before);
  });

  test('a broken invariant is an Internal error that names the place', () => {
    invariant(true, 'here', 'fine');
    assert.throws(
      () => invariant(false, 'Ring.push', 'tail 3 behind head 5'),
      (error: unknown) =>
        error instanceof MonolithError && error.code === 'Internal' && /Ring\.push: tail 3 behind head 5/.test(error.message),
    );
  });
});
