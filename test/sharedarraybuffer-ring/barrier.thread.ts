import { workerData } from 'node:worker_threads';
import { AbortWord, Barrier, Counter } from '../../src/sharedarraybuffer-ring/index.js';
import { reportResult } from './report.js';

/** One party of a barrier: the memory is [abort word 64 B][signal 64 B][one Int32 a party, 256 B][barrier]. */
export type BarrierRole = {
  readonly buffer: SharedArrayBuffer;
  readonly parties: number;
  readonly party: number;
  readonly rounds: number;
  readonly timeoutMs: number;
  /** First generation, for tests that start the counter near its wrap. */
  readonly start: number;
};

export const ROUNDS_OFFSET = 128;
export const BARRIER_OFFSET = 384;

const { buffer, parties, party, rounds, timeoutMs, start }: BarrierRole = workerData;
const abort = new AbortWord(buffer, 0);
const signal = new Counter(buffer, 64, abort);
const barrier = new Barrier(buffer, BARRIER_OFFSET, parties, abort, { name: 'test' });
const roundOf = new Int32Array(buffer, ROUNDS_OFFSET, parties);

reportResult(() => {
  signal.add(1);
  let worst = 0;
  for (let round = 1; round <= rounds; round++) {
    roundOf[party] = round; // a plain store: the barrier itself must make it visible
    const generation = barrier.wait(party, timeoutMs);
    if (generation !== (start + round - 1) >>> 0) throw new Error(`round ${round} completed generation ${generation}`);
    for (let other = 0; other < parties; other++) {
      const ahead = roundOf[other] - round;
      if (ahead < 0 || ahead > 1) throw new Error(`party ${other} is at round ${roundOf[other]} while party ${party} leaves ${round}`);
      if (ahead > worst) worst = ahead;
    }
  }
  return [rounds, worst];
});
