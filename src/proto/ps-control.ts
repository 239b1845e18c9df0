import { ProtoReader, ProtoWriter } from './wire.js';

/** Messages of the parameter-server service that are not hot; see protos/ps_training.proto. */
export type BarrierRequest = {
  readonly barrierId: string;
  readonly workerId: number;
  readonly numWorkers: number;
  readonly timeoutMs: number;
};
/** statusCode: 0 released, 1 timed out or refused, 2 cancelled. */
export type BarrierResponse = { readonly statusCode: number; readonly errorMessage: string; readonly numArrived: number };
export type HealthStatus = 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY' | 'DEGRADED';
export type HealthCheckRequest = { readonly component: string };
export type HealthCheckResponse = { readonly status: HealthStatus; readonly message: string; readonly uptimeSeconds: number };
export type GetStatsRequest = { readonly includeTableStats: boolean };
export type TableStats = { readonly name: string; readonly numEmbeddings: number; readonly dimSize: number; readonly memoryBytes: number };
export type GetStatsResponse = {
  readonly shardId: number;
  readonly totalEmbeddings: number;
  readonly memoryBytes: number;
  readonly tableStats: readonly TableStats[];
  readonly lookupCount: number;
  readonly applyGradientsCount: number;
  readonly avgLookupLatencyUs: number;
  readonly avgApplyLatencyUs: number;
};

const healthNames: readonly HealthStatus[] = ['UNKNOWN', 'HEALTHY', 'UNHEALTHY', 'DEGRADED'];

export const barrierRequestCodec = {
  encode: ({ barrierId, workerId, numWorkers, timeoutMs }: BarrierRequest): Buffer =>
    new ProtoWriter().string(1, barrierId).int(2, workerId).int(3, numWorkers).int(4, timeoutMs).finish(),
  decode(bytes: Uint8Array): BarrierRequest {
    const message = { barrierId: '', workerId: 0, numWorkers: 0, timeoutMs: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.barrierId = reader.string();
      else if (reader.field === 2) message.workerId = reader.int32();
      else if (reader.field === 3) message.numWorkers = reader.int32();
      else if (reader.field === 4) message.timeoutMs = reader.int64();
      else reader.skip();
    }
    return message;
  },
};

export const barrierResponseCodec = {
  encode: ({ statusCode, errorMessage, numArrived }: BarrierResponse): Buffer =>
    new ProtoWriter().int(1, statusCode).string(2, errorMessage).int(3, numArrived).finish(),
  decode(bytes: Uint8Array): BarrierResponse {
    const message = { statusCode: 0, errorMessage: '', numArrived: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.statusCode = reader.int32();
      else if (reader.field === 2) message.errorMessage = reader.string();
      else if (reader.field === 3) message.numArrived = reader.int32();
      else reader.skip();
    }
    return message;
  },
};

export const healthCheckRequestCodec = {
  encode: ({ component }: HealthCheckRequest): Buffer => new ProtoWriter().string(1, component).finish(),
  decode(bytes: Uint8Array): HealthCheckRequest {
    let component = '';
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) component = reader.string();
      else reader.skip();
    }
    return { component };
  },
};

export const healthCheckResponseCodec = {
  encode: ({ status, message, uptimeSeconds }: HealthCheckResponse): Buffer =>
    new ProtoWriter().int(1, healthNames.indexOf(status)).string(2, message).int(3, uptimeSeconds).finish(),
  decode(bytes: Uint8Array): HealthCheckResponse {
    const answer: { status: HealthStatus; message: string; uptimeSeconds: number } = { status: 'UNKNOWN', message: '', uptimeSeconds: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) answer.status = healthNames[reader.int32()] ?? 'UNKNOWN';
      else if (reader.field === 2) answer.message = reader.string();
      else if (reader.field === 3) answer.uptimeSeconds = reader.int64();
      else reader.skip();
    }
    return answer;
  },
};

export const getStatsRequestCodec = {
  encode: ({ includeTableStats }: GetStatsRequest): Buffer => new ProtoWriter().bool(1, includeTableStats).finish(),
  decode(bytes: Uint8Array): GetStatsRequest {
    let includeTableStats = false;
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) includeTableStats = reader.bool();
      else reader.skip();
    }
    return { includeTableStats };
  },
};

const tableStatsCodec = {
  encode: ({ name, numEmbeddings, dimSize, memoryBytes }: TableStats): Buffer =>
    new ProtoWriter().string(1, name).int(2, numEmbeddings).int(3, dimSize).int(4, memoryBytes).finish(),
  decode(bytes: Uint8Array): TableStats {
    const message = { name: '', numEmbeddings: 0, dimSize: 0, memoryBytes: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.name = reader.string();
      else if (reader.field === 2) message.numEmbeddings = reader.int64();
      else if (reader.field === 3) message.dimSize = reader.int32();
      else if (reader.field === 4) message.memoryBytes = reader.int64();
      else reader.skip();
    }
    return message;
  },
};

export const getStatsResponseCodec = {
  encode(stats: GetStatsResponse): Buffer {
    const writer = new ProtoWriter().int(1, stats.shardId).int(2, stats.totalEmbeddings).int(3, stats.memoryBytes);
    for (const table of stats.tableStats) writer.bytes(4, tableStatsCodec.encode(table));
    return writer
      .int(5, stats.lookupCount)
      .int(6, stats.applyGradientsCount)
      .int(7, stats.avgLookupLatencyUs)
      .int(8, stats.avgApplyLatencyUs)
      .finish();
  },
  decode(bytes: Uint8Array): GetStatsResponse {
    const tableStats: TableStats[] = [];
    const numbers = [0, 0, 0, 0, 0, 0, 0, 0, 0];
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 4) tableStats.push(tableStatsCodec.decode(reader.bytes()));
      else if (reader.field >= 1 && reader.field <= 8) numbers[reader.field] = reader.int64();
      else reader.skip();
    }
    const [, shardId, totalEmbeddings, memoryBytes, , lookupCount, applyGradientsCount, avgLookupLatencyUs, avgApplyLatencyUs] = numbers;
    return {
      shardId,
      totalEmbeddings,
      memoryBytes,
      tableStats,
      lookupCount,
      applyGradientsCount,
      avgLookupLatencyUs,
      avgApplyLatencyUs,
    };
  },
};
