import { optionAtPath, optionTable } from './option-table.js';
import type { TrainingConfig } from './training-config.js';

/** Notes a problem of an option; the message follows the option's name in the source that gave it. */
export type Add = (path: string, message: string) => void;

/** Least values that no option checks alone. */
export function checkLeast(config: TrainingConfig, add: Add): void {
  for (const { path } of optionTable) checkLeastOf(path, config, add);
}

/** @param words what to say before what is expected. @returns whether the value is fine */
function checkLeastOf(path: string, config: TrainingConfig, add: Add, words = ''): boolean {
  const entry = optionAtPath(path);
  const least = entry?.option.least ?? null;
  if (entry === undefined || least === null) return true;
  const value = valueAt(config, entry.keys);
  if (typeof value !== 'number' || value >= least) return true;
  add(path, `${words}expected ${entry.option.expected}, got ${value}`);
  return false;
}

function valueAt(config: TrainingConfig, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((value, key) => (value as Readonly<Record<string, unknown>> | null)?.[key], config);
}

/**
 * Problems of a process of a run on several hosts, in a fixed order and with the words of Monolith's trainer, which scripts around it may look
 * for.
 */
export function checkDistributed(config: TrainingConfig, origins: ReadonlyMap<string, string>, add: Add): void {
  const { distributed, discovery, data } = config;
  const { enabled, role, localHosts, tlsCert, tlsKey } = distributed;
  if (enabled) checkInOrder(config, add);
  if ((tlsCert === null) !== (tlsKey === null)) add('distributed.tlsCert', 'a certificate and its key (distributed.tlsKey) go together');
  if (localHosts === 1) add('distributed.localHosts', 'one process is a run on one host; give at least 2');
  if (localHosts > 0 && enabled) add('distributed.localHosts', 'starts processes of its own; leave --distributed out');
  if (!enabled) return;
  if (discovery.kind === 'local')
    add('discovery.kind', 'a run on several hosts needs to know how its processes find each other; give --discovery');
  if (discovery.kind === 'zookeeper' && discovery.zkHosts === null)
    add('discovery.zkHosts', '--zk-hosts is required for --discovery zookeeper');
  if (discovery.kind === 'consul' && discovery.consulAddr === null)
    add('discovery.consulAddr', '--consul-addr is required for --discovery consul');
  checkHeartbeat(config, origins, add);
  if (role !== 'ps' && !tells(config) && data.train.includes('-'))
    add('data.train', 'every worker reads the data itself, so they cannot come from standard input');
}

/** Whether the discovery says what each process is, and how many there are. */
function tells({ discovery }: TrainingConfig): boolean {
  return discovery.kind === 'tf-config' || discovery.kind === 'mlp';
}

function checkInOrder(config: TrainingConfig, add: Add): void {
  const { ps, workers, discovery } = config;
  const positive = (path: string, flag: string, where = ''): boolean => checkLeastOf(path, config, add, `--${flag} must be > 0${where}: `);
  positive('discovery.operationTimeoutMs', 'discovery-operation-timeout-ms');
  positive('discovery.cleanupTimeoutMs', 'discovery-cleanup-timeout-ms');
  positive('distributed.barrierTimeoutMs', 'barrier-timeout-ms');
  const psFine = positive('ps', 'num-ps', ' in distributed mode');
  const workersFine = positive('workers', 'num-workers-cluster', ' in distributed mode');
  if (!tells(config)) checkIndex(config, psFine ? ps : null, workersFine ? workers : null, add);
  positive('embedding.dim', 'dim', ' in distributed mode');
  const { psType, workerType } = discovery;
  const [psFlag, workerFlag] = ['--discovery-service-type-ps', '--discovery-service-type-worker'];
  checkName('discovery.psType', psFlag, psType, add);
  checkName('discovery.workerType', workerFlag, workerType, add);
  if (psType.toLowerCase() === workerType.toLowerCase())
    add('discovery.workerType', `${psFlag} and ${workerFlag} must be distinct, got "${psType}" and "${workerType}"`);
}

function checkIndex(config: TrainingConfig, ps: number | null, workers: number | null, add: Add): void {
  const { role, index } = config.distributed;
  if (role === 'chief') {
    if (index !== 0) add('distributed.index', `the chief is worker 0: expected 0, got ${index}`);
    return;
  }
  const [count, name, flag] = role === 'ps' ? [ps, 'ps', 'num-ps'] : [workers, 'workers', 'num-workers-cluster'];
  if (count === null || index < count) return;
  const range =
    role === 'ps' || count > 1
      ? `expected ${role === 'ps' ? 0 : 1} to ${count - 1} (${name} is ${count})`
      : `${name} is 1: the chief alone`;
  add('distributed.index', `--index must be < --${flag} for --role ${role}: ${range}, got ${index}`);
}

function checkName(path: string, flag: string, name: string, add: Add): void {
  if (name.trim() === '') add(path, `${flag} must be non-empty`);
  else if (name.trim() !== name) add(path, `${flag} must not have leading/trailing whitespace, got "${name}"`);
  else if (/\s/.test(name)) add(path, `${flag} must not contain whitespace, got "${name}"`);
}

/** Consul takes a service away that has shown no sign of life for a while. */
function checkHeartbeat({ distributed, discovery }: TrainingConfig, origins: ReadonlyMap<string, string>, add: Add): void {
  const { heartbeatIntervalSecs: secs } = distributed;
  if (discovery.kind !== 'consul' || secs === null || (secs > 0 && secs * 1000 < discovery.lostAfterMs)) return;
  const name = origins.get('distributed.heartbeatIntervalSecs') === '--disable-heartbeat' ? 'no signs of life' : `${secs} s`;
  add(
    'distributed.heartbeatIntervalSecs',
    `${name}: consul counts a process as gone after ${discovery.lostAfterMs} ms without a sign of life (discovery.lostAfterMs); expected less`,
  );
}
