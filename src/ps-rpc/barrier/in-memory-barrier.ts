import { MonolithError } from '../../base/index.js';
import type { Barrier } from './barrier.js';

/** A barrier among callers of one thread: releases whenever n of them wait, whoever they are. Ids and worker numbers are not looked at. */
export class InMemoryBarrier implements Barrier {
  #waiting: (() => void)[] = [];

  /** Throws InvalidConfig for a number of callers that is no whole number ≥ 1. */
  constructor(private readonly numWorkers: number) {
    if (!Number.isInteger(numWorkers) || numWorkers < 1) {
      throw new MonolithError('InvalidConfig', `InMemoryBarrier: expected a whole number of workers ≥ 1, got ${numWorkers}`, {
        numWorkers,
      });
    }
  }

  wait(_barrierId = '', _workerId = 0, _numWorkers = this.numWorkers): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length < this.numWorkers) return;
      const all = this.#waiting;
      this.#waiting = [];
      for (const release of all) release();
    });
  }
}
