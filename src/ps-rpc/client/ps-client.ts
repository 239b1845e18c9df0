import { randomUUID } from 'node:crypto';
import {
  type ApplyGradientsResponse,
  barrierRequestCodec,
  barrierResponseCodec,
  type GetStatsResponse,
  getStatsRequestCodec,
  getStatsResponseCodec,
  type HealthCheckResponse,
  healthCheckRequestCodec,
  healthCheckResponseCodec,
  type LookupResponse,
} from '../../proto/index.js';
import { fromTransport, invalidConfig, PsError } from '../errors.js';
import { PsHeader } from '../service/protocol.js';
import { type Ids, routeIds, sumGradients, toIds } from './ids.js';
import { type PsClientOptions, type ResolvedPsClientOptions, resolveClientOptions } from './options.js';
import { applyToShard, lookupOnShard } from './shard-calls.js';
import { ShardConnection } from './shard-connection.js';

/** One entry of {@link PsClient.batchLookup}. */
export type BatchLookupEntry = {
  readonly tableName: string;
  readonly fids: Ids;
  readonly dimSize: number;
  readonly createIfMissing: boolean;
};
/** One entry of {@link PsClient.batchApplyGradients}. */
export type BatchApplyEntry = {
  readonly tableName: string;
  readonly fids: Ids;
  readonly gradients: Float32Array | readonly number[];
  readonly dimSize: number;
  readonly learningRate: number;
  readonly globalStep?: number;
};

/** A barrier call is given up this long after the time at which the shard should have answered. */
const BARRIER_GRACE_MS = 2000;

/**
 * A client of one or more parameter-server shards. Ids are made distinct, sent to shard floorMod(id, number of shards), and answered in the caller's
 * order with duplicates. All methods may be called at the same time on one client. Applies of one client reach each shard in the order of the
 * calls and are made exactly once, also when requests or answers are lost, doubled or overtake each other.
 *
 * Every method throws a PsError: InvalidConfig and DimensionMismatch before anything is sent, Timeout when the time is over, RpcError for what the
 * shard or the network refused (`details.status`, `details.peer`).
 */
export class PsClient {
  readonly #shards: readonly ShardConnection[];
  readonly #options: ResolvedPsClientOptions;
  readonly #users: { count: number };
  #closed = false;

  /** Connects to all shards at once. Throws InvalidConfig for an empty list, RpcError when one can't be reached. */
  static async connect(addresses: readonly string[], options: PsClientOptions = {}): Promise<PsClient> {
    if (addresses.length === 0) throw invalidConfig('at least one PS address is required');
    const client = new PsClient(addresses, options);
    try {
      await Promise.all(client.#shards.map((shard) => shard.channel.ready(client.#options.connectTimeoutMs)));
      return client;
    } catch (error) {
      client.close();
      throw fromTransport(error, 'connect', client.#options.connectTimeoutMs);
    }
  }

  /** A client that connects when it is first used. With no addresses every call that needs a shard is refused. */
  constructor(addresses: readonly string[], options: PsClientOptions = {}, shared?: PsClient) {
    this.#options = resolveClientOptions(options);
    if (shared !== undefined) {
      this.#shards = shared.#shards;
      this.#users = shared.#users;
      this.#users.count++;
      return;
    }
    const channel = options.security === undefined ? {} : { security: options.security };
    this.#shards = addresses.map((address, shard) => new ShardConnection(shard, address, channel, this.#options));
    this.#users = { count: 1 };
  }

  get numShards(): number {
    return this.#shards.length;
  }

  /** Another handle on the same connections, which close with the last handle. */
  clone(): PsClient {
    return new PsClient([], this.#options, this);
  }

  /** Twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (--this.#users.count === 0) for (const shard of this.#shards) shard.close();
  }

  /** Rows of a table, [ids × dim]; zeros for ids that have none. See {@link lookupDetailed}. */
  async lookup(tableName: string, fids: Ids, dimSize: number, createIfMissing: boolean): Promise<Float32Array> {
    return (await this.lookupDetailed(tableName, fids, dimSize, createIfMissing)).embeddings;
  }

  /**
   * @param createIfMissing make rows for ids that have none.
   * @returns for each id its row and whether it had one before this call; numInitialized counts ids that have one now and had none.
   */
  async lookupDetailed(tableName: string, fids: Ids, dimSize: number, createIfMissing: boolean): Promise<LookupResponse> {
    checkDim(dimSize);
    this.#checkShards();
    const ids = toIds(fids);
    const embeddings = new Float32Array(ids.length * dimSize);
    const found = new Uint8Array(ids.length);
    if (ids.length === 0) return { statusCode: 0, errorMessage: '', embeddings, found, numFound: 0, numInitialized: 0 };
    const { unique, inverse, shardOffsets } = routeIds(ids, this.#shards.length);
    const rows = new Float32Array(unique.length * dimSize);
    const had = new Uint8Array(unique.length);
    await this.#each(shardOffsets, (shard, from, to) =>
      lookupOnShard(shard, { tableName, dimSize, createIfMissing, fids: unique, from, to, rows, found: had }, this.#options),
    );
    let numFound = 0;
    for (let i = 0; i < ids.length; i++) {
      const at = inverse[i];
      for (let d = 0; d < dimSize; d++) embeddings[i * dimSize + d] = rows[at * dimSize + d];
      found[i] = had[at];
      numFound += had[at];
    }
    return { statusCode: 0, errorMessage: '', embeddings, found, numFound, numInitialized: createIfMissing ? ids.length - numFound : 0 };
  }

  /**
   * One optimizer step on the rows of the ids; ids without a row are counted and left alone. Gradients of equal ids are added up first.
   * @param gradients [ids × dim]
   * @param learningRate 0: the table's own rates.
   * @returns numbers of distinct ids.
   */
  async applyGradients(
    tableName: string,
    fids: Ids,
    gradients: Float32Array | readonly number[],
    dimSize: number,
    learningRate: number,
    globalStep = 0,
  ): Promise<{ readonly numUpdated: number; readonly numNotFound: number }> {
    const { numUpdated, numNotFound } = await this.applyGradientsDetailed(tableName, fids, gradients, dimSize, learningRate, globalStep);
    return { numUpdated, numNotFound };
  }

  /** As {@link applyGradients}, with the whole answer. */
  async applyGradientsDetailed(
    tableName: string,
    fids: Ids,
    gradients: Float32Array | readonly number[],
    dimSize: number,
    learningRate: number,
    globalStep = 0,
  ): Promise<ApplyGradientsResponse> {
    checkDim(dimSize);
    if (fids.length === 0 && gradients.length === 0) return { statusCode: 0, errorMessage: '', numUpdated: 0, numNotFound: 0 };
    const expected = fids.length * dimSize;
    if (gradients.length !== expected) {
      throw new PsError('DimensionMismatch', `Dimension mismatch: expected ${expected}, got ${gradients.length}`, {
        expected,
        actual: gradients.length,
      });
    }
    this.#checkShards();
    const routed = routeIds(toIds(fids), this.#shards.length);
    const sums = sumGradients(gradients instanceof Float32Array ? gradients : Float32Array.from(gradients), routed, dimSize);
    const request = { tableName, dimSize, learningRate, globalStep, fids: routed.unique, gradients: sums };
    const counts = await this.#each(routed.shardOffsets, (shard, from, to) => applyToShard(shard, { ...request, from, to }, this.#options));
    const sum = (pick: (count: ApplyGradientsResponse) => number) => counts.reduce((total, count) => total + pick(count), 0);
    return { statusCode: 0, errorMessage: '', numUpdated: sum((c) => c.numUpdated), numNotFound: sum((c) => c.numNotFound) };
  }

  /** Lookups of several tables at once, answered in order. An entry that fails has status 1 and its message; the others are not affected. */
  batchLookup(entries: readonly BatchLookupEntry[]): Promise<LookupResponse[]> {
    const nothing = { embeddings: new Float32Array(0), found: new Uint8Array(0), numFound: 0, numInitialized: 0 };
    return Promise.all(
      entries.map(({ tableName, fids, dimSize, createIfMissing }) =>
        this.lookupDetailed(tableName, fids, dimSize, createIfMissing).catch((error: unknown) => ({ ...failedEntry(error), ...nothing })),
      ),
    );
  }

  /** Applies to several tables at once, answered in order, each failing for itself. */
  batchApplyGradients(entries: readonly BatchApplyEntry[]): Promise<ApplyGradientsResponse[]> {
    return Promise.all(
      entries.map(({ tableName, fids, gradients, dimSize, learningRate, globalStep = 0 }) =>
        this.applyGradientsDetailed(tableName, fids, gradients, dimSize, learningRate, globalStep).catch((error: unknown) => ({
          ...failedEntry(error),
          numUpdated: 0,
          numNotFound: 0,
        })),
      ),
    );
  }

  /** Waits at shard 0 until `numWorkers` workers have come. See {@link barrierOnShard}. */
  barrier(barrierId: string, workerId: number, numWorkers: number, timeoutMs: number): Promise<void> {
    return this.barrierOnShard(0, barrierId, workerId, numWorkers, timeoutMs);
  }

  /**
   * Waits at one shard's barrier. An id may be used again at once.
   * @param resize the number of workers of this id has changed since its last round.
   * Throws Timeout when the others don't come, InvalidConfig for numbers that can't be or that contradict the other workers'.
   */
  async barrierOnShard(
    shard: number,
    barrierId: string,
    workerId: number,
    numWorkers: number,
    timeoutMs: number,
    resize = false,
  ): Promise<void> {
    if (!(timeoutMs > 0)) throw invalidConfig('timeout_ms must be greater than zero');
    if (!(numWorkers > 0)) throw invalidConfig('num_workers must be greater than zero');
    if (!Number.isInteger(workerId) || workerId < 0 || workerId >= numWorkers) {
      throw invalidConfig(`worker_id ${workerId} out of range for num_workers=${numWorkers}`, { workerId, numWorkers });
    }
    const connection = this.#shard(shard);
    const headers = { [PsHeader.request]: randomUUID(), ...(resize && { [PsHeader.resize]: '1' }) };
    const encode = (leftMs: number) =>
      barrierRequestCodec.encode({ barrierId, workerId, numWorkers, timeoutMs: Math.max(1, Math.min(timeoutMs, leftMs)) });
    const until = timeoutMs + BARRIER_GRACE_MS;
    const what = `barrier "${barrierId}" on shard ${shard} (${connection.address})`;
    const reply = await connection
      .repeat('Barrier', encode, until, () => headers, until)
      .catch((error: unknown) => {
        throw fromTransport(error, what, timeoutMs);
      });
    const { statusCode, errorMessage, numArrived } = barrierResponseCodec.decode(reply.message);
    if (statusCode === 0) return;
    const details = { barrierId, workerId, numWorkers, numArrived, peer: connection.address };
    if (statusCode === 1 && /timeout/i.test(errorMessage)) {
      const message = `Barrier timeout: ${what} after ${timeoutMs} ms; ${numArrived} of ${numWorkers} workers still waiting`;
      throw new PsError('Timeout', message, { ...details, timeoutMs });
    }
    if (statusCode === 1) throw new PsError('InvalidConfig', errorMessage, details);
    throw new PsError('RpcError', `${what}: ${errorMessage}`, { ...details, status: statusCode === 2 ? 'Cancelled' : 'Internal' });
  }

  healthCheck(component = ''): Promise<HealthCheckResponse> {
    return this.healthCheckShard(0, component);
  }

  async healthCheckShard(shard: number, component = ''): Promise<HealthCheckResponse> {
    const message = await this.#ask(shard, 'HealthCheck', healthCheckRequestCodec.encode({ component }));
    return healthCheckResponseCodec.decode(message);
  }

  /** Answers of all shards, in order; one failure fails the call. */
  async healthCheckAll(component = ''): Promise<HealthCheckResponse[]> {
    this.#checkShards();
    return Promise.all(this.#shards.map((_, shard) => this.healthCheckShard(shard, component)));
  }

  getStats(includeTableStats = false): Promise<GetStatsResponse> {
    return this.getStatsShard(0, includeTableStats);
  }

  async getStatsShard(shard: number, includeTableStats = false): Promise<GetStatsResponse> {
    return getStatsResponseCodec.decode(await this.#ask(shard, 'GetStats', getStatsRequestCodec.encode({ includeTableStats })));
  }

  /** Statistics of all shards, in order; one failure fails the call. */
  async getStatsAll(includeTableStats = false): Promise<GetStatsResponse[]> {
    this.#checkShards();
    return Promise.all(this.#shards.map((_, shard) => this.getStatsShard(shard, includeTableStats)));
  }

  #checkShards(): void {
    if (this.#shards.length === 0) throw invalidConfig('no PS clients configured');
  }

  #shard(shard: number): ShardConnection {
    this.#checkShards();
    const connection = Number.isInteger(shard) ? this.#shards[shard] : undefined;
    if (connection === undefined) throw invalidConfig(`invalid shard index: ${shard}`, { shard, numShards: this.#shards.length });
    return connection;
  }

  async #ask(shard: number, method: 'HealthCheck' | 'GetStats', request: Uint8Array): Promise<Buffer> {
    const connection = this.#shard(shard);
    const { timeoutMs } = this.#options;
    try {
      return (await connection.repeat(method, () => request, timeoutMs)).message;
    } catch (error) {
      throw fromTransport(error, `${method} on shard ${shard} (${connection.address})`, timeoutMs);
    }
  }

  /** Runs `call` for every shard that has ids, all at once; the first error fails it. */
  async #each<T>(shardOffsets: Int32Array, call: (shard: ShardConnection, from: number, to: number) => Promise<T>): Promise<T[]> {
    const busy = this.#shards.filter(({ shard }) => shardOffsets[shard + 1] > shardOffsets[shard]);
    return Promise.all(busy.map((shard) => call(shard, shardOffsets[shard.shard], shardOffsets[shard.shard + 1])));
  }
}

function checkDim(dimSize: number): void {
  if (!Number.isInteger(dimSize) || dimSize <= 0) throw invalidConfig('dim_size must be greater than zero', { dimSize });
}

function failedEntry(error: unknown): { readonly statusCode: number; readonly errorMessage: string } {
  const { code, message } = error as PsError;
  return { statusCode: 1, errorMessage: code === 'InvalidConfig' ? `Invalid configuration: ${message}` : message };
}
