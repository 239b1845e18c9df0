import { MonolithError } from '../base/index.js';
import type { ConsulOptions } from './consul.js';
import { type Environment, MlpDiscovery } from './mlp.js';
import { openConsul } from './open.js';
import { BackendDiscovery, MonolithDiscoveryGuard, type RunnerDiscovery, ZooKeeperDescriptor } from './runner-discovery.js';
import { discoveryError } from './service.js';
import { tfConfigDiscovery } from './tf-config.js';

/** Kinds of discovery as Monolith's configurations name them, with the numbers of its enumeration. */
export const discoveryTypes = { Primus: 1, Consul: 2, Zk: 3, Mlp: 4 } as const;
export type DiscoveryType = keyof typeof discoveryTypes;

/** What discovery needs to know of a runner's configuration. */
export type RunnerDiscoverySettings = {
  readonly isLocal: boolean;
  readonly discoveryType: DiscoveryType;
  /** TF_CONFIG as JSON; the environment variable when null. */
  readonly tfConfig: string | null;
  readonly deepInsightName: string;
  readonly zkServer: string;
};

/** The name in Consul of a job that gave none: its own. */
export function generatePsmFromUuid(uuid: string): string {
  return uuid;
}

/** Port of the agent on hosts where ByteDance's variables say where it is. */
const LOOKUP_PORT = 2280;

/**
 * Where Consul is by the environment: CONSUL_HTTP_HOST or TCE_HOST_IP with CONSUL_HTTP_PORT (2280) mean an agent with ByteDance's lookup;
 * otherwise CONSUL_HTTP_ADDR (127.0.0.1:8500) and CONSUL_HTTP_TOKEN as Consul's own programs read them.
 */
export function consulOfEnvironment(variables: Environment): Pick<ConsulOptions, 'address' | 'form' | 'token'> {
  const host = variables.CONSUL_HTTP_HOST || variables.TCE_HOST_IP;
  if (host) return { address: `${host}:${variables.CONSUL_HTTP_PORT || LOOKUP_PORT}`, form: 'lookup', token: null };
  const address = (variables.CONSUL_HTTP_ADDR || '127.0.0.1:8500').replace(/^http:\/\//, '').replace(/\/$/, '');
  return { address, form: 'health', token: variables.CONSUL_HTTP_TOKEN || null };
}

/**
 * The discovery that a runner's configuration asks for; null for a local run. Nothing is connected yet.
 * - Primus: TF_CONFIG from the configuration, else from the environment.
 * - Consul: needs a psm. - Zk: only a description ({@link ZooKeeperDescriptor}). - Mlp: the MLP_… variables.
 * @throws MissingTfConfig, MissingPsm, Discovery
 */
export async function getDiscovery(
  config: RunnerDiscoverySettings,
  psm: string | null = null,
  variables: Environment = process.env,
): Promise<RunnerDiscovery | null> {
  if (config.isLocal) return null;
  switch (config.discoveryType) {
    case 'Primus':
      return new BackendDiscovery(tfConfigDiscovery(config.tfConfig, variables));
    case 'Consul': {
      if (psm === null) throw new MonolithError('MissingPsm', 'psm is required for Consul discovery');
      return new BackendDiscovery(await openConsul({ ...consulOfEnvironment(variables), psm }));
    }
    case 'Zk':
      return new ZooKeeperDescriptor({ deepInsightName: config.deepInsightName, zkServer: config.zkServer });
    case 'Mlp':
      return new BackendDiscovery(new MlpDiscovery(variables));
    default:
      config.discoveryType satisfies never;
      throw discoveryError(
        'ConfigError',
        `discoveryType must be one of ${Object.keys(discoveryTypes).join(', ')}, got '${config.discoveryType}'`,
      );
  }
}

/**
 * {@link getDiscovery} in a guard that closes it; without a psm, Consul is asked for the job's deepInsightName.
 * @throws MissingTfConfig, Discovery
 */
export async function monolithDiscovery(
  config: RunnerDiscoverySettings,
  psm: string | null = null,
  variables: Environment = process.env,
): Promise<MonolithDiscoveryGuard> {
  return new MonolithDiscoveryGuard(await getDiscovery(config, psm ?? generatePsmFromUuid(config.deepInsightName), variables));
}
