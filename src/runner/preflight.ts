import { MonolithError } from '../base/index.js';
import type { DistributedRunConfig } from './distributed-config.js';
import { canonicalSyncTarget } from './sync-targets.js';

/**
 * Refuses a configuration that can't lead anywhere, before anybody else hears of this process. The first rule broken is reported, in a fixed
 * order; names in messages are those of configuration files.
 * @throws InvalidConfig
 */
export function checkDistributedConfig(config: DistributedRunConfig): void {
  const isWorker = config.role === 'worker';
  requirePositive('num_ps', config.numPs, true);
  requirePositive('num_workers', config.numWorkers, true);
  requireIndex(config, isWorker);
  requirePositive('dim', config.dim, true);
  if (isWorker) requirePositive('barrier_timeout_ms', config.barrierTimeoutMs);
  if (!Number.isInteger(config.connectRetries) || config.connectRetries < 0) {
    throw refuse(`connect_retries to be a whole number >= 0, got ${config.connectRetries}`, 'connect_retries');
  }
  if (isWorker && config.connectRetries > 0 && !(config.retryBackoffMs > 0)) {
    throw refuse('retry_backoff_ms > 0 when connect_retries > 0', 'retry_backoff_ms');
  }
  requirePositive('discovery_operation_timeout', config.discoveryOperationTimeoutMs);
  requirePositive('discovery_cleanup_timeout', config.discoveryCleanupTimeoutMs);
  if (config.heartbeatIntervalMs !== null && !(config.heartbeatIntervalMs > 0)) {
    throw refuse('heartbeat_interval > 0 when configured', 'heartbeat_interval');
  }
  requireName('discovery_service_type_ps', config.discoveryServiceTypePs);
  requireName('discovery_service_type_worker', config.discoveryServiceTypeWorker);
  if (isWorker && config.discoveryServiceTypePs.toLowerCase() === config.discoveryServiceTypeWorker.toLowerCase()) {
    throw refuse('distinct discovery_service_type_ps and discovery_service_type_worker', 'discovery_service_type_worker');
  }
  requireName('table_name', config.tableName);
  requireSyncTargets(config);
}

function requireIndex({ index, numPs, numWorkers, role }: DistributedRunConfig, isWorker: boolean): void {
  const [field, count] = isWorker ? ['num_workers', numWorkers] : ['num_ps', numPs];
  if (Number.isInteger(index) && index >= 0 && index < (count as number)) return;
  throw refuse(`index < ${field} for ${role} role (index=${index} ${field}=${count})`, 'index');
}

function requireSyncTargets(config: DistributedRunConfig): void {
  const targets = config.parameterSyncTargets;
  if (targets.length === 0) return;
  const where = 'parameter_sync_targets';
  if (!(config.parameterSyncIntervalMs > 0)) {
    throw refuse(`parameter_sync_interval > 0 when ${where} are configured`, 'parameter_sync_interval');
  }
  if (targets.some((target) => target.trim() === '')) throw refuse(`non-empty ${where} entries`, where);
  if (targets.some((target) => target.trim() !== target)) throw refuse(`${where} entries without leading/trailing whitespace`, where);
  const seen = new Set<string>();
  for (const target of targets) {
    const canonical = canonicalSyncTarget(target);
    if (seen.has(canonical)) throw refuse(`unique ${where} entries; ${canonical} stands there twice`, where);
    seen.add(canonical);
  }
  requireName('parameter_sync_model_name', config.parameterSyncModelName, ` when ${where} are configured`);
  requireName('parameter_sync_signature_name', config.parameterSyncSignatureName, ` when ${where} are configured`);
}

function requirePositive(field: string, value: number, whole = false): void {
  if (!(value > 0)) throw refuse(`${field} > 0`, field);
  if (whole && !Number.isInteger(value)) throw refuse(`${field} to be a whole number, got ${value}`, field);
}

function requireName(field: string, value: string, when = ''): void {
  if (value.trim() === '') throw refuse(`non-empty ${field}${when}`, field);
  if (value.trim() !== value) throw refuse(`${field} without leading/trailing whitespace${when}`, field);
  if (/\s/.test(value)) throw refuse(`${field} without whitespace characters${when}`, field);
}

function refuse(requirement: string, field: string): MonolithError {
  return new MonolithError('InvalidConfig', `distributed config requires ${requirement}`, { field });
}
