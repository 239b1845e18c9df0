import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STAGES, type StageTimes } from '../../src/training/index.js';
import { StageWatch, stageSeconds } from '../../src/training/stage-times.js';

const times = (values: Partial<StageTimes>): StageTimes => ({
  ...(Object.fromEntries(STAGES.map((stage) => [stage, 0])) as StageTimes),
  ...values,
});

test('shares are those of the time since the last look, over workers alone', () => {
  const watch = new StageWatch();
  assert.deepEqual(watch.next(times({})), { wait_batch: 0, dedupe: 0, lookup: 0, compute: 0, push: 0 });
  const first = watch.next(times({ compute: 300, push: 100, shard_apply: 1000 }));
  assert.deepEqual([first.compute, first.push, first.lookup], [0.75, 0.25, 0]);
  const second = watch.next(times({ compute: 400, push: 100, lookup: 100, shard_apply: 2000 }));
  assert.deepEqual([second.compute, second.push, second.lookup], [0.5, 0, 0.5]);
});

test('times are told in seconds, shards included', () => {
  const seconds = stageSeconds(times({ compute: 1500, shard_refresh: 20 }));
  assert.deepEqual(Object.keys(seconds), [...STAGES]);
  assert.deepEqual([seconds.compute, seconds.shard_refresh], [1.5, 0.02]);
});
