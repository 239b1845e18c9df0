import { MonolithError } from '../base/index.js';
import type { Discovery, EndWatch, ServiceInfo } from './discovery.js';
import type { Environment } from './mlp.js';
import { discoveryError } from './service.js';
import { servicesOf } from './static-list.js';

/** The value of TF_CONFIG: addresses of each role and the place of this process. */
export type TfConfig = {
  readonly cluster: ReadonlyMap<string, readonly string[]>;
  /** null where the value has no task. */
  readonly task: { readonly type: string; readonly index: number } | null;
};

/** Longest excerpt of a wrong value in a message. */
const EXCERPT = 60;

function wrong(what: string, cause?: unknown): Error {
  return discoveryError(
    'ConfigError',
    `TF_CONFIG ${what}`,
    cause === undefined ? { backend: 'tf_config' } : { backend: 'tf_config', cause },
  );
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads TF_CONFIG: `{"cluster": {"chief": […], "worker": […], "ps": […]}, "task": {"type": "worker", "index": 0}}`, where an address is a text
 * with a colon. Roles and members of other names are kept or passed over. A task index may be a number or its digits in a text.
 * @throws Discovery (reason ConfigError), with `Invalid TF_CONFIG JSON` where it is no JSON.
 */
export function parseTfConfig(text: string): TfConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw discoveryError('ConfigError', `Invalid TF_CONFIG JSON: ${(cause as Error).message}`, { backend: 'tf_config', cause });
  }
  if (!isRecord(value)) throw wrong(`must be a JSON object with cluster and task, got ${shown(value)}`);
  const clusterValue = Object.hasOwn(value, 'cluster') ? value.cluster : undefined;
  if (!isRecord(clusterValue)) throw wrong(`cluster must be an object of address lists, got ${shown(clusterValue)}`);
  const cluster = new Map<string, readonly string[]>();
  for (const [role, addresses] of Object.entries(clusterValue)) {
    if (!Array.isArray(addresses)) throw wrong(`cluster.${role} must be a list of addresses, got ${shown(addresses)}`);
    addresses.forEach((address, index) => {
      if (typeof address !== 'string' || !/^[^\s:]\S*:[^\s:]+$/.test(address)) {
        throw wrong(`cluster.${role}[${index}] must be an address host:port, got ${shown(address)}`);
      }
    });
    cluster.set(role, addresses as string[]);
  }
  return { cluster, task: readTask(Object.hasOwn(value, 'task') ? value.task : undefined) };
}

function readTask(task: unknown): TfConfig['task'] {
  if (task === undefined || task === null) return null;
  if (!isRecord(task)) throw wrong(`task must be an object with type and index, got ${shown(task)}`);
  const type = Object.hasOwn(task, 'type') ? task.type : undefined;
  const index = Object.hasOwn(task, 'index') ? task.index : undefined;
  if (typeof type !== 'string' || type === '') throw wrong(`task.type must be the name of a role, got ${shown(type)}`);
  const number = typeof index === 'string' && /^\d{1,9}$/.test(index) ? Number(index) : index;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= 2 ** 31) {
    throw wrong(`task.index must be a whole number from 0, got ${shown(index)}`);
  }
  return { type, index: number };
}

/**
 * Discovery by TF_CONFIG, as launchers in the manner of Kubeflow set it. `ps` is cluster.ps by position, `worker` is cluster.chief followed by
 * cluster.worker (a chief may be the only worker); registering does nothing, since the launcher has said where everybody is.
 */
export class TfConfigDiscovery implements Discovery {
  readonly kind = 'tf_config';
  readonly #config: TfConfig;
  readonly #names: { readonly ps: string; readonly worker: string };

  /** @param names what this run calls the two roles; TF_CONFIG always says ps, chief and worker. */
  constructor(config: TfConfig, names: { readonly ps: string; readonly worker: string } = { ps: 'ps', worker: 'worker' }) {
    this.#config = config;
    this.#names = names;
  }

  /** The role of this process; a chief counts as worker. @throws Discovery when TF_CONFIG has no task. */
  get serverType(): string {
    const { type } = this.#task();
    return type === 'chief' ? 'worker' : type;
  }

  /** The place of this process in its role; with a chief in the cluster, workers follow it from 1. @throws Discovery when there is no task. */
  get index(): number {
    const { type, index } = this.#task();
    return type === 'worker' && this.#config.cluster.has('chief') ? index + 1 : index;
  }

  /** The address of this process. @throws Discovery when the cluster has none at its place. */
  get address(): string {
    const { type, index } = this.#task();
    const addresses = this.#config.cluster.get(type);
    if (addresses === undefined) throw wrong(`cluster has no role '${type}', which task.type names; it has ${this.#roles()}`);
    if (index >= addresses.length) throw wrong(`cluster.${type} has ${addresses.length} addresses, task.index is ${index}`);
    return addresses[index];
  }

  async connect(): Promise<void> {}

  async register(): Promise<void> {}

  async deregister(): Promise<void> {}

  /** @throws Discovery for a name that is neither role, and when the cluster lacks the role. */
  async discover(serviceType: string): Promise<readonly ServiceInfo[]> {
    const { ps, worker } = this.#names;
    if (serviceType !== ps && serviceType !== worker) {
      throw discoveryError('ConfigError', `name must be ${ps}/${worker}, got ${JSON.stringify(serviceType)}`, { backend: 'tf_config' });
    }
    if (serviceType === ps) return servicesOf(serviceType, this.#list('ps'));
    const chief = this.#config.cluster.get('chief');
    if (chief === undefined) return servicesOf(serviceType, this.#list('worker'));
    return servicesOf(serviceType, [...chief, ...(this.#config.cluster.get('worker') ?? [])]);
  }

  async heartbeat(): Promise<void> {}

  /** TF_CONFIG never changes: calls back once. */
  async watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch> {
    onChange(await this.discover(serviceType));
    return () => {};
  }

  async close(): Promise<void> {}

  #list(role: string): readonly string[] {
    const addresses = this.#config.cluster.get(role);
    if (addresses === undefined) throw wrong(`missing ${role}: the cluster has ${this.#roles()}`);
    return addresses;
  }

  #roles(): string {
    return this.#config.cluster.size === 0 ? 'no roles' : [...this.#config.cluster.keys()].join(', ');
  }

  #task(): { readonly type: string; readonly index: number } {
    if (this.#config.task === null) throw wrong('missing task: it says which role and index this process has');
    return this.#config.task;
  }
}

/** Discovery by the TF_CONFIG given, or else by the environment's. @throws MissingTfConfig, Discovery */
export function tfConfigDiscovery(
  given: string | null,
  variables: Environment = process.env,
  names?: { readonly ps: string; readonly worker: string },
): TfConfigDiscovery {
  const text = given ?? variables.TF_CONFIG ?? '';
  if (text.trim() === '') throw new MonolithError('MissingTfConfig', 'TF_CONFIG is required for Primus discovery');
  return new TfConfigDiscovery(parseTfConfig(text), names);
}
