import { performance } from 'node:perf_hooks';

/** Milliseconds on a clock that never jumps; only differences mean something. For timeouts, intervals and rates. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since 1970. For people to read; never for timeouts, never for anything that a result depends on. */
export function wallClock(): number {
  return Date.now();
}

/** Both clocks as one object, for code whose tests set the time. */
export type Clock = {
  monotonicMs(): number;
  wallClock(): number;
};

/** The clocks of the machine. */
export const systemClock: Clock = { monotonicMs, wallClock };

/** Clocks that move only when told; the wall clock can jump by itself, as real ones do. */
export class ManualClock implements Clock {
  #monotonicMs: number;
  #wallMs: number;

  constructor(monotonicStartMs = 0, wallStartMs = 0) {
    this.#monotonicMs = monotonicStartMs;
    this.#wallMs = wallStartMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallClock(): number {
    return this.#wallMs;
  }

  /** Time passes on both clocks. */
  advance(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /** The wall clock alone is set, forwards or backwards. */
  setWallClock(ms: number): void {
    this.#wallMs = ms;
  }
}
