import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { ConsulOptions } from './consul.js';
import type { Discovery } from './discovery.js';
import { HostFileDiscovery } from './host-files.js';
import { type Environment, MlpDiscovery } from './mlp.js';
import { parseStaticList, StaticDiscovery } from './static-list.js';
import { tfConfigDiscovery } from './tf-config.js';
import type { ZooKeeperOptions } from './zookeeper.js';

/** Signs of life within the time after which a process counts as gone. */
const BEATS = 5;

/** Discovery through Consul; the client is loaded now, and nothing is asked yet. @throws Discovery (ConfigError) */
export async function openConsul(options: ConsulOptions): Promise<Discovery> {
  const { ConsulDiscovery } = await import('./consul.js');
  return new ConsulDiscovery(options);
}

/** Discovery through ZooKeeper; the client is loaded now, and nothing is connected yet. @throws Discovery (ConfigError) */
export async function openZooKeeper(options: ZooKeeperOptions): Promise<Discovery> {
  const { ZooKeeperDiscovery } = await import('./zookeeper.js');
  return new ZooKeeperDiscovery(options);
}

/**
 * The discovery that a run's options ask for; null when they say `local`. Nothing is connected yet.
 * @throws InvalidConfig when an option is missing that the kind needs, MissingTfConfig, Discovery for a value that can't be used.
 */
export async function openDiscovery(options: TrainingConfig['discovery'], variables: Environment = process.env): Promise<Discovery | null> {
  const { kind, lostAfterMs, operationTimeoutMs } = options;
  switch (kind) {
    case 'local':
      return null;
    case 'static':
      return new StaticDiscovery(parseStaticList(needed(options.addresses, '--addresses', kind)));
    case 'tf-config':
      return tfConfigDiscovery(options.tfConfig, variables, { ps: options.psType, worker: options.workerType });
    case 'mlp':
      return new MlpDiscovery(variables);
    case 'consul':
      return openConsul({
        address: needed(options.consulAddr, '--consul-addr', kind),
        psm: options.consulServiceName,
        form: options.consulForm,
        ttlMs: lostAfterMs,
        operationTimeoutMs,
        token: variables.CONSUL_HTTP_TOKEN || null,
      });
    case 'zookeeper':
      return openZooKeeper({
        servers: needed(options.zkHosts, '--zk-hosts', kind),
        path: options.zkBasePath,
        sessionTimeoutMs: lostAfterMs,
        operationTimeoutMs,
      });
    case 'host-files':
      return new HostFileDiscovery({
        folder: needed(options.folder, '--discovery-folder', kind),
        heartbeatMs: Math.ceil(lostAfterMs / BEATS),
        staleMs: lostAfterMs,
      });
    default:
      kind satisfies never;
      throw new MonolithError('InvalidConfig', `discovery.kind '${kind}' is unknown`);
  }
}

function needed(value: string | null, flag: string, kind: string): string {
  if (value === null) throw new MonolithError('InvalidConfig', `${flag} is required for --discovery ${kind}`, { flag, kind });
  return value;
}
