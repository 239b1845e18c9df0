import { MonolithError } from '../../base/index.js';
import type { BarrierRequest, BarrierResponse } from '../../proto/index.js';

/** How many barriers that nobody waits at are remembered, so that a wrong number of workers is noticed; the oldest are forgotten first. */
const REMEMBERED = 1024;

type Arrival = { readonly requestId: string; readonly answers: ((response: BarrierResponse) => void)[]; timer: NodeJS.Timeout | null };
type Round = { readonly numWorkers: number; readonly arrived: Map<number, Arrival> };
/** What is kept of a barrier between rounds: its size, and whom the last round released, for answers that were lost on the way. */
type Memory = { readonly numWorkers: number; readonly released: ReadonlyMap<number, string> };

export type BarrierCall = {
  /** Equal for repetitions of one arrival, '' for callers that never repeat. A repetition joins the arrival instead of being a second one. */
  readonly requestId: string;
  /** The caller knows that the number of workers has changed. */
  readonly resize: boolean;
  readonly signal: AbortSignal;
};

/**
 * Barriers by name. A round begins with its first arrival and ends when all are there, or when the last one waiting has given up; nothing is kept
 * of it but its size, among the last 1024. Runs on one thread: an arrival is either counted or answered, no wake-up can be missed.
 */
export class BarrierTable {
  readonly #rounds = new Map<string, Round>();
  readonly #memory = new Map<string, Memory>();
  #closed = false;

  constructor(private readonly maxRounds: number) {}

  /** Barriers at which somebody waits. */
  get live(): number {
    return this.#rounds.size;
  }

  /** Barriers at which nobody waits and whose size is remembered. */
  get remembered(): number {
    return this.#memory.size;
  }

  /** Resolves when the round is complete, the time is up, the caller is gone or the shard closes. Never rejects for what the wire can say. */
  arrive(request: BarrierRequest, call: BarrierCall): BarrierResponse | Promise<BarrierResponse> {
    const { barrierId, workerId, numWorkers, timeoutMs } = request;
    if (numWorkers <= 0) return refused('num_workers must be > 0', 0);
    if (workerId < 0 || workerId >= numWorkers) return refused(`worker_id ${workerId} out of range for num_workers=${numWorkers}`, 0);
    if (this.#closed) return cancelled(0);
    const round = this.#rounds.get(barrierId);
    const memory = this.#memory.get(barrierId);
    const expected = round?.numWorkers ?? memory?.numWorkers;
    if (expected !== undefined && expected !== numWorkers && (round !== undefined || !call.resize)) {
      return refused(`Barrier ${barrierId} expects num_workers=${expected}, got ${numWorkers}`, round?.arrived.size ?? 0);
    }
    if (call.requestId !== '' && memory?.released.get(workerId) === call.requestId) return released(numWorkers);
    const before = round?.arrived.get(workerId);
    if (before !== undefined) {
      if (call.requestId === '' || before.requestId !== call.requestId) {
        return refused(`Worker ${workerId} already arrived for barrier ${barrierId}`, round?.arrived.size ?? 0);
      }
      return this.#wait(barrierId, workerId, before, timeoutMs, call.signal);
    }
    if (round === undefined && this.#rounds.size >= this.maxRounds) {
      throw new MonolithError('ResourceExhausted', `${this.maxRounds} barriers have somebody waiting; this shard takes no more`, {
        limit: this.maxRounds,
      });
    }
    const own = round ?? { numWorkers, arrived: new Map<number, Arrival>() };
    const arrival: Arrival = { requestId: call.requestId, answers: [], timer: null };
    own.arrived.set(workerId, arrival);
    if (own.arrived.size === numWorkers) {
      this.#release(barrierId, own);
      return released(numWorkers);
    }
    this.#rounds.set(barrierId, own);
    return this.#wait(barrierId, workerId, arrival, timeoutMs, call.signal);
  }

  /** Answers all who wait with "cancelled", and everybody who comes later. */
  close(): void {
    this.#closed = true;
    for (const [barrierId, { arrived }] of this.#rounds) {
      for (const [workerId, arrival] of arrived) this.#answer(barrierId, workerId, arrival, cancelled(0));
    }
  }

  #wait(barrierId: string, workerId: number, arrival: Arrival, timeoutMs: number, signal: AbortSignal): Promise<BarrierResponse> {
    return new Promise((resolve) => {
      const give = (response: BarrierResponse): void => {
        signal.removeEventListener('abort', gone);
        resolve(response);
      };
      // A caller that vanishes gives up its place, unless it has asked again meanwhile.
      const gone = (): void => {
        const at = arrival.answers.indexOf(give);
        if (at >= 0) arrival.answers.splice(at, 1);
        const left = this.#rounds.get(barrierId)?.arrived.size ?? 0;
        if (arrival.answers.length === 0) this.#answer(barrierId, workerId, arrival, cancelled(left));
        resolve(cancelled(left));
      };
      arrival.answers.push(give);
      if (arrival.timer !== null) clearTimeout(arrival.timer);
      arrival.timer =
        timeoutMs <= 0 ? null : setTimeout(() => this.#answer(barrierId, workerId, arrival, null), Math.min(timeoutMs, 0x7fffffff));
      if (signal.aborted) gone();
      else signal.addEventListener('abort', gone, { once: true });
    });
  }

  /** Takes a waiting worker out and answers it; null: its time was up. */
  #answer(barrierId: string, workerId: number, arrival: Arrival, response: BarrierResponse | null): void {
    if (arrival.timer !== null) clearTimeout(arrival.timer);
    const round = this.#rounds.get(barrierId);
    if (round?.arrived.get(workerId) === arrival) {
      round.arrived.delete(workerId);
      if (round.arrived.size === 0) {
        this.#rounds.delete(barrierId);
        if (!this.#memory.has(barrierId)) this.#remember(barrierId, round.numWorkers, new Map());
      }
    }
    const given = response ?? { statusCode: 1, errorMessage: 'Barrier timeout', numArrived: round?.arrived.size ?? 0 };
    for (const answer of arrival.answers.splice(0)) answer(given);
  }

  #release(barrierId: string, { numWorkers, arrived }: Round): void {
    this.#rounds.delete(barrierId);
    const requests = new Map<number, string>();
    for (const [workerId, { requestId }] of arrived) if (requestId !== '') requests.set(workerId, requestId);
    this.#remember(barrierId, numWorkers, requests);
    for (const { answers, timer } of arrived.values()) {
      if (timer !== null) clearTimeout(timer);
      for (const answer of answers) answer(released(numWorkers));
    }
  }

  #remember(barrierId: string, numWorkers: number, requests: ReadonlyMap<number, string>): void {
    this.#memory.delete(barrierId);
    this.#memory.set(barrierId, { numWorkers, released: requests });
    if (this.#memory.size <= REMEMBERED) return;
    for (const oldest of this.#memory.keys()) {
      this.#memory.delete(oldest);
      return;
    }
  }
}

function released(numWorkers: number): BarrierResponse {
  return { statusCode: 0, errorMessage: '', numArrived: numWorkers };
}

function refused(errorMessage: string, numArrived: number): BarrierResponse {
  return { statusCode: 1, errorMessage, numArrived };
}

function cancelled(numArrived: number): BarrierResponse {
  return { statusCode: 2, errorMessage: 'Barrier cancelled: the caller is gone or the shard closes', numArrived };
}
