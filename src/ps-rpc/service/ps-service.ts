import { MonolithError, monotonicMs } from '../../base/index.js';
import { type CallContext, type RpcService, unaryOf } from '../../grpc/index.js';
import type { KernelBackend } from '../../kernels/index.js';
import {
  applyGradientsRequestCodec,
  applyGradientsResponseCodec,
  barrierRequestCodec,
  barrierResponseCodec,
  type GetStatsResponse,
  getStatsRequestCodec,
  getStatsResponseCodec,
  type HealthCheckResponse,
  healthCheckRequestCodec,
  healthCheckResponseCodec,
  lookupRequestCodec,
  lookupResponseCodec,
} from '../../proto/index.js';
import { BarrierTable } from './barrier-table.js';
import { checkName, type PsLimits, resolvePsLimits } from './limits.js';
import { PS_SERVICE, PsHeader } from './protocol.js';
import { RequestLog } from './request-log.js';
import { type ChangeListener, RowCalls } from './row-calls.js';
import { type ServedTableConfig, ServedTables, type TableSource } from './served-tables.js';

export type PsServiceOptions = {
  /** Number of this shard. Default 0. */
  readonly shardId?: number;
  readonly backend: KernelBackend;
  /** Seed of new rows. Default 0. */
  readonly seed?: number;
  /** Tables with slices, optimizers and initializers; others are made by the requests that name them first. */
  readonly tables?: readonly ServedTableConfig[];
  /** Tables that exist already, such as those that a job trains. */
  readonly source?: TableSource;
  /** Floats a row where a request for a new table does not say. Default 16. */
  readonly defaultDim?: number;
  readonly limits?: Partial<PsLimits>;
  /** Bytes of the largest message, −1: any. Default −1. */
  readonly messageBytes?: number;
  /** Factor on the tables' own rates at a step. Default 1. */
  readonly rateScale?: (step: number) => number;
  /** Told of every row that is made or updated. */
  readonly onChange?: ChangeListener;
};

/** What of a shard's bookkeeping is alive; for operators and tests of leaks. */
export type PsDiagnostics = {
  readonly barriersWaiting: number;
  readonly barriersRemembered: number;
  readonly sessions: number;
  readonly appliesHeld: number;
};

/** Count and time of one kind of request. */
class Latency {
  count = 0;
  #totalUs = 0;

  /** A request counts at least one microsecond. */
  add(fromMs: number): void {
    this.count++;
    this.#totalUs += Math.max(1, Math.round((monotonicMs() - fromMs) * 1000));
  }

  get averageUs(): number {
    return this.count === 0 ? 0 : Math.floor(this.#totalUs / this.count);
  }
}

/**
 * The unary service of one parameter-server shard: lookups, applies, barriers, health and statistics. Hang it on an RpcServer; everything runs on
 * that server's thread, one call after another.
 */
export class PsService {
  /** Tables of this shard. */
  readonly tables: ServedTables;
  readonly shardId: number;
  readonly #limits: PsLimits;
  readonly #rows: RowCalls;
  readonly #barriers: BarrierTable;
  readonly #log: RequestLog;
  readonly #lookups = new Latency();
  readonly #applies = new Latency();
  readonly #startedAt = monotonicMs();
  #closing = false;

  constructor(options: PsServiceOptions) {
    const { shardId = 0, backend, seed = 0, tables = [], source = null, defaultDim = 16, messageBytes = -1 } = options;
    if (!Number.isInteger(shardId) || shardId < 0)
      throw new MonolithError('InvalidConfig', `shardId must be a whole number ≥ 0, got ${shardId}`);
    this.shardId = shardId;
    this.#limits = resolvePsLimits(options.limits);
    this.tables = new ServedTables(backend, seed, this.#limits, tables, source);
    const rateScale = options.rateScale ?? (() => 1);
    this.#rows = new RowCalls(backend, this.tables, this.#limits, defaultDim, messageBytes, rateScale, options.onChange ?? null);
    this.#barriers = new BarrierTable(this.#limits.barriers);
    this.#log = new RequestLog(this.#limits.sessions, this.#limits.window);
  }

  get diagnostics(): PsDiagnostics {
    return {
      barriersWaiting: this.#barriers.live,
      barriersRemembered: this.#barriers.remembered,
      sessions: this.#log.sessions,
      appliesHeld: this.#log.held,
    };
  }

  /** Handlers for an RpcServer. */
  rpc(): RpcService {
    return {
      name: PS_SERVICE,
      unary: {
        Lookup: (bytes, call) => this.#lookup(bytes, call),
        ApplyGradients: (bytes, call) => this.#apply(bytes, call),
        Barrier: unaryOf(barrierRequestCodec, barrierResponseCodec, (request, call) => {
          checkName('barrier', request.barrierId, this.#limits);
          return this.#barriers.arrive(request, {
            requestId: call.header(PsHeader.request) ?? '',
            resize: call.header(PsHeader.resize) === '1',
            signal: call.signal,
          });
        }),
        HealthCheck: unaryOf(healthCheckRequestCodec, healthCheckResponseCodec, (_request, call) => this.#health(call)),
        GetStats: unaryOf(getStatsRequestCodec, getStatsResponseCodec, ({ includeTableStats }) => this.stats(includeTableStats)),
      },
      closing: () => {
        this.#closing = true;
        this.#barriers.close();
        this.#log.close();
      },
    };
  }

  /** What GetStats answers. memoryBytes is what the tables hold: rows, optimizer state and index. */
  stats(includeTableStats: boolean): GetStatsResponse {
    const tableStats = this.tables.names().flatMap((name) => {
      const table = this.tables.find(name)?.table;
      return table === undefined ? [] : [{ name, numEmbeddings: table.size(), dimSize: table.dim, memoryBytes: table.memoryBytes() }];
    });
    return {
      shardId: this.shardId,
      totalEmbeddings: tableStats.reduce((sum, { numEmbeddings }) => sum + numEmbeddings, 0),
      memoryBytes: tableStats.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      tableStats: includeTableStats ? tableStats : [],
      lookupCount: this.#lookups.count,
      applyGradientsCount: this.#applies.count,
      avgLookupLatencyUs: this.#lookups.averageUs,
      avgApplyLatencyUs: this.#applies.averageUs,
    };
  }

  #health(call: CallContext): HealthCheckResponse {
    if (call.header(PsHeader.session) === 'new') call.setHeader(PsHeader.session, this.#log.open());
    const uptimeSeconds = Math.floor((monotonicMs() - this.#startedAt) / 1000);
    return this.#closing ? { status: 'UNHEALTHY', message: 'closing', uptimeSeconds } : { status: 'HEALTHY', message: 'OK', uptimeSeconds };
  }

  #lookup(bytes: Uint8Array, call: CallContext): Uint8Array {
    const from = monotonicMs();
    try {
      const request = lookupRequestCodec.decode(bytes);
      return lookupResponseCodec.encode(this.#rows.lookup(request, deadlineOf(call, request.timeoutMs, from)));
    } catch (error) {
      const { statusCode, errorMessage } = inBand(error, call);
      const nothing = { embeddings: new Float32Array(0), found: new Uint8Array(0), numFound: 0, numInitialized: 0 };
      return lookupResponseCodec.encode({ statusCode, errorMessage, ...nothing });
    } finally {
      this.#lookups.add(from);
    }
  }

  #apply(bytes: Uint8Array, call: CallContext): Uint8Array | Promise<Uint8Array> {
    const arrived = monotonicMs();
    const request = applyGradientsRequestCodec.decode(bytes);
    const deadlineMs = deadlineOf(call, request.timeoutMs, arrived);
    const run = (): Uint8Array => {
      const from = monotonicMs();
      try {
        return applyGradientsResponseCodec.encode(this.#rows.apply(request, deadlineMs));
      } catch (error) {
        return applyGradientsResponseCodec.encode({ ...inBand(error, call), numUpdated: 0, numNotFound: 0 });
      } finally {
        this.#applies.add(from);
      }
    };
    const session = call.header(PsHeader.session);
    if (session === undefined) return run();
    const [sequence, base] = [PsHeader.sequence, PsHeader.base].map((name) => Number(call.header(name)));
    if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(base) || base < 0 || sequence < base) {
      throw new MonolithError(
        'InvalidArgument',
        `${PsHeader.sequence} and ${PsHeader.base}: expected whole numbers, the second not above the first`,
      );
    }
    return this.#log.submit({ session, sequence, base }, run, bytes.length, deadlineMs);
  }
}

/** Until when a call may run: its gRPC deadline or its timeout_ms, whichever is first. */
function deadlineOf(call: CallContext, timeoutMs: number, arrived: number): number {
  return Math.min(call.deadlineMs, timeoutMs > 0 ? arrived + timeoutMs : Number.POSITIVE_INFINITY);
}

/**
 * What the wire says of a request that is wrong in itself: status 1 and the message, with the code in the metadata. Other errors go the way of gRPC,
 * so that callers know that trying again may help.
 */
function inBand(error: unknown, call: CallContext): { readonly statusCode: number; readonly errorMessage: string } {
  if (!(error instanceof MonolithError) || error.code === 'DeadlineExceeded' || error.code === 'Internal') throw error;
  call.setHeader(PsHeader.code, error.code);
  return { statusCode: 1, errorMessage: error.message };
}
