import { MonolithError } from '../base/index.js';
import { shardOfName } from '../ps/index.js';
import type { ShardThreads } from './role-threads.js';

/** A named parameter as the coordinator knows it. */
type Named = {
  readonly id: number;
  readonly shard: number;
  /** Shared with the shard, which writes it. */
  readonly values: Float32Array;
  /** 1 at first, one more each time the name is registered again. */
  readonly version: number;
};

/** Gradients by the name of their parameter. */
export type NamedGradients = { readonly [name: string]: ArrayLike<number> };

/**
 * The coordinator's side of named parameters: which shard has which, and one queue of requests for each shard, in the order of the calls. A
 * copy of values is made in its turn of that queue, so it never sees half a step.
 */
export class NamedValues {
  private readonly parameters = new Map<string, Named>();
  private readonly turns: Promise<unknown>[];
  private nextId = 0;

  constructor(private readonly numShards: number) {
    this.turns = new Array<Promise<unknown>>(numShards).fill(Promise.resolve());
  }

  /** Each parameter's shard, version and number of values, by name. */
  describe(): { name: string; shard: number; version: number; length: number }[] {
    return [...this.parameters].map(([name, { shard, version, values }]) => ({ name, shard, version, length: values.length }));
  }

  /** Gives the parameter these values, replacing earlier ones. Answers with its shard. */
  async register(threads: ShardThreads, name: string, values: ArrayLike<number>): Promise<number> {
    const shared = new Float32Array(new SharedArrayBuffer(values.length * 4));
    shared.set(values);
    const before = this.parameters.get(name);
    const shard = shardOfName(name, this.numShards);
    const id = before?.id ?? this.nextId++;
    this.parameters.set(name, { id, shard, values: shared, version: (before?.version ?? 0) + 1 });
    await this.inTurn(shard, () => threads.ask(shard, { kind: 'ownParameter', id, values: shared }));
    return shard;
  }

  /** Tells a shard that has just started which parameters are its own. */
  async restore(threads: ShardThreads, shard: number): Promise<void> {
    const own = [...this.parameters.values()].filter((parameter) => parameter.shard === shard);
    for (const { id, values } of own) await this.inTurn(shard, () => threads.ask(shard, { kind: 'ownParameter', id, values }));
  }

  /**
   * One SGD step on each parameter named, those of different shards at the same time.
   * @returns the new values of each, copies.
   * @throws ParameterNotFound, CommunicationError for a wrong length; both before anything is sent.
   */
  async step(threads: ShardThreads, learningRate: number, gradients: NamedGradients): Promise<{ [name: string]: Float32Array }> {
    const names = Object.keys(gradients).sort();
    const byShard = new Map<number, { names: string[]; ids: number[]; length: number }>();
    for (const name of names) {
      const parameter = this.parameters.get(name);
      if (parameter === undefined) throw this.notFound(name);
      const { id, shard, values } = parameter;
      const actual = gradients[name].length;
      if (actual !== values.length) {
        throw new MonolithError(
          'CommunicationError',
          `Gradient size mismatch: expected ${values.length}, got ${actual} (parameter "${name}")`,
          {
            name,
            expected: values.length,
            actual,
          },
        );
      }
      const own = byShard.get(shard) ?? { names: [], ids: [], length: 0 };
      own.names.push(name);
      own.ids.push(id);
      own.length += actual;
      byShard.set(shard, own);
    }
    const updated: { [name: string]: Float32Array } = Object.create(null);
    await everyOne(
      [...byShard].map(async ([shard, own]) => {
        const exchange = new Float32Array(new SharedArrayBuffer(own.length * 4));
        const ranges: Float32Array[] = [];
        let start = 0;
        for (const name of own.names) {
          const range = exchange.subarray(start, start + gradients[name].length);
          range.set(gradients[name]);
          ranges.push(range);
          start += range.length;
        }
        await this.inTurn(shard, () => threads.ask(shard, { kind: 'stepParameters', ids: own.ids, learningRate, exchange }));
        for (const [i, name] of own.names.entries()) updated[name] = Float32Array.from(ranges[i]);
      }),
    );
    return updated;
  }

  /** A copy of the values, null when no parameter has this name. */
  async get(name: string): Promise<Float32Array | null> {
    const parameter = this.parameters.get(name);
    if (parameter === undefined) return null;
    return this.inTurn(parameter.shard, async () => Float32Array.from(parameter.values));
  }

  /** Resolves when all that was asked for so far is done or has failed. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.turns);
  }

  private inTurn<T>(shard: number, work: () => Promise<T>): Promise<T> {
    const done = this.turns[shard].then(work);
    this.turns[shard] = done.catch(() => {});
    return done;
  }

  private notFound(name: string): MonolithError {
    const known = [...this.parameters.keys()].slice(0, MOST_NAMES);
    return new MonolithError(
      'ParameterNotFound',
      `Parameter "${name}" is not registered; ${known.length === 0 ? 'none is' : `there are ${known.map((one) => `"${one}"`).join(', ')}`}. Call registerParameter first`,
      { name },
    );
  }
}

/** Names that a message lists. */
const MOST_NAMES = 8;

/** Waits for all, also when one fails; then throws the first failure in their order. */
async function everyOne(all: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(all)) if (result.status === 'rejected') throw result.reason;
}
