import { workerData } from 'node:worker_threads';
import { AbortWord, Counter, Ownership, Turn } from '../../src/sharedarraybuffer-ring/index.js';
import { reportResult } from './report.js';

const { buffer, party, parties, rounds }: { buffer: SharedArrayBuffer; party: number; parties: number; rounds: number } = workerData;
const abort = new AbortWord(buffer, 0);
const ownership = new Ownership(buffer, 64, abort, 'sum', party % 2 === 0 ? 0 : 1000);
const turn = new Turn(buffer, 128);
const begun = new Counter(buffer, 192, abort);
const done = new Counter(buffer, 256, abort);
/** [0] plain sum, touched by the owner alone; [1] work done in turns */
const plain = new Float64Array(buffer, 320, 2);

reportResult(() => {
  let mine = 0;
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < 10; i++) {
      ownership.take(party, 10_000);
      plain[0] += 1;
      ownership.release(party);
    }
    begun.addTowards(1, round * parties);
    begun.waitFor(round * parties, 10_000);
    if (turn.take(round)) {
      mine++;
      plain[1] += round;
      done.addTowards(1, round);
    }
    done.waitFor(round, 10_000);
  }
  return [mine];
});
