export { fileDescriptors, loadProtos } from './load.js';
export {
  type DeltaTable,
  type PushRequest,
  type PushResponse,
  pushRequestCodec,
  pushResponseCodec,
} from './parameter-sync.js';
export {
  type BarrierRequest,
  type BarrierResponse,
  barrierRequestCodec,
  barrierResponseCodec,
  type GetStatsRequest,
  type GetStatsResponse,
  getStatsRequestCodec,
  getStatsResponseCodec,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthStatus,
  healthCheckRequestCodec,
  healthCheckResponseCodec,
  type TableStats,
} from './ps-control.js';
export {
  type ApplyGradientsRequest,
  type ApplyGradientsResponse,
  applyGradientsRequestCodec,
  applyGradientsResponseCodec,
  type LookupRequest,
  type LookupResponse,
  lookupRequestCodec,
  lookupResponseCodec,
} from './ps-training.js';
export * from './training-job.js';
export { fieldOverhead, ProtoReader, ProtoWriter, varints64Length, WireType } from './wire.js';
