import { MonolithError } from '../base/index.js';
import type { Discovery, ServiceInfo } from '../discovery/index.js';
import { bounded } from './bounded.js';
import type { DistributedRunConfig } from './distributed-config.js';
import { Heartbeat } from './heartbeat.js';
import { checkDistributedConfig } from './preflight.js';
import { orderPsAddresses } from './ps-order.js';
import { waitForPs } from './wait-for-ps.js';

/** What the runner does for a role's body. */
export type RoleContext = {
  readonly config: DistributedRunConfig;
  /** `ps-<index>` or `worker-<index>`. */
  readonly serviceId: string;
  readonly discovery: Discovery;
  /** Aborted when the run is to end: a body then ends by itself, soon. */
  readonly signal: AbortSignal;
  /** A line for the operator. */
  readonly log: (line: string) => void;
  /**
   * Announces this process at the address on which it listens, with its index; heartbeats begin. Before that nobody hears of it. Again with
   * another address: it has moved.
   */
  readonly announce: (address: string, metadata?: Readonly<Record<string, string>>) => Promise<void>;
  /** Waits for all parameter servers: [numPs] addresses by shard. @throws DiscoveryTimeout */
  readonly parameterServers: () => Promise<readonly string[]>;
  /** Where a shard is announced now; null when it is not, or the backend does not answer. For reconnecting: a restarted shard may have moved. */
  readonly addressOfShard: (shard: number) => Promise<string | null>;
};

/** The work of a role; the run ends when it ends. */
export type RoleBody<T> = (context: RoleContext) => Promise<T>;

export type RunDistributedOptions = {
  /** Ends the run from outside. */
  readonly signal?: AbortSignal;
  /** Default: nothing is written. */
  readonly log?: (line: string) => void;
};

/**
 * Runs one process of a distributed run: checks the configuration, connects to the discovery, runs the body, and at its end, however it
 * ends, stops heartbeats, deregisters once and closes the discovery once.
 *
 * @returns what the body returns.
 * @throws InvalidConfig before the discovery is touched; the body's error, with what went wrong while cleaning up added to its message; after
 *         a body that succeeded, the first error of cleaning up.
 */
export async function runDistributed<T>(
  discovery: Discovery,
  config: DistributedRunConfig,
  body: RoleBody<T>,
  options: RunDistributedOptions = {},
): Promise<T> {
  checkDistributedConfig(config);
  const { log = () => {} } = options;
  const run = new RoleRun(discovery, config, options.signal ?? new AbortController().signal, log);
  await run.connect();
  let result: T;
  try {
    result = await body(run.context());
  } catch (error) {
    const issues = await run.cleanUp();
    throw issues.length === 0 ? error : withCleanup(error, 'role error', issues.map(({ text }) => text).join('; '));
  }
  const issues = await run.cleanUp();
  if (issues.length > 0) throw cleanupFailed(issues);
  return result;
}

/** A step of cleaning up that failed: what it was, and its error. */
type CleanupIssue = { readonly what: string; readonly error: unknown; readonly text: string };

class RoleRun {
  private readonly serviceId: string;
  private readonly serviceType: string;
  /** As announced, or as it would be. */
  private service: ServiceInfo;
  private heartbeat: Heartbeat | null = null;

  constructor(
    private readonly discovery: Discovery,
    private readonly config: DistributedRunConfig,
    private readonly signal: AbortSignal,
    private readonly log: (line: string) => void,
  ) {
    const { role, index, bindAddress, discoveryServiceTypePs, discoveryServiceTypeWorker } = config;
    this.serviceId = `${role}-${index}`;
    this.serviceType = role === 'ps' ? discoveryServiceTypePs : discoveryServiceTypeWorker;
    this.service = this.serviceAt(bindAddress, {});
  }

  context(): RoleContext {
    const { config, serviceId, discovery, signal, log } = this;
    return {
      config,
      serviceId,
      discovery,
      signal,
      log,
      announce: (address, metadata = {}) => this.announce(address, metadata),
      parameterServers: () => waitForPs(discovery, config, serviceId, signal),
      addressOfShard: (shard) => this.addressOfShard(shard),
    };
  }

  /** Connects; when that fails the discovery is closed all the same. */
  async connect(): Promise<void> {
    try {
      await this.operation(`connect ${this.serviceId} via ${this.serviceType}`, () => this.discovery.connect());
    } catch (error) {
      const issue = await this.disconnect();
      throw issue === null ? error : withCleanup(error, 'role error', issue.text);
    }
  }

  /** Stops heartbeats, deregisters, closes: each once, each for a bounded time. Answers with what failed. */
  async cleanUp(): Promise<CleanupIssue[]> {
    await this.heartbeat?.stop();
    const what = `deregister ${this.serviceId} from ${this.serviceType}`;
    const issues = [await this.cleanupStep(what, () => this.discovery.deregister(this.service)), await this.disconnect()];
    return issues.filter((issue) => issue !== null);
  }

  private disconnect(): Promise<CleanupIssue | null> {
    return this.cleanupStep(`disconnect ${this.serviceId} via ${this.serviceType}`, () => this.discovery.close());
  }

  private async announce(address: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    this.service = this.serviceAt(address, metadata);
    await this.operation(`register ${this.serviceId} as ${this.serviceType}`, () => this.discovery.register(this.service));
    const { heartbeatIntervalMs } = this.config;
    if (heartbeatIntervalMs !== null) this.heartbeat ??= new Heartbeat(this.discovery, this.serviceId, heartbeatIntervalMs, this.log);
  }

  private async addressOfShard(shard: number): Promise<string | null> {
    const { discoveryServiceTypePs: type, numPs } = this.config;
    try {
      const services = await this.operation(`discover ${this.serviceId} for ${type}`, () => this.discovery.discover(type));
      return orderPsAddresses(services, numPs)[shard] ?? null;
    } catch (error) {
      this.log(`looking for shard ${shard}: ${textOf(error)}`);
      return null;
    }
  }

  private serviceAt(address: string, metadata: Readonly<Record<string, string>>): ServiceInfo {
    const own = { addr: address, index: String(this.config.index), ...(this.config.role === 'ps' ? { allow_update: 'true' } : {}) };
    return { id: this.serviceId, serviceType: this.serviceType, address, metadata: { ...metadata, ...own }, health: 'healthy' };
  }

  private operation<T>(what: string, operation: () => Promise<T>): Promise<T> {
    return bounded('operation', what, this.config.discoveryOperationTimeoutMs, operation);
  }

  private async cleanupStep(what: string, step: () => Promise<void>): Promise<CleanupIssue | null> {
    try {
      await bounded('cleanup', what, this.config.discoveryCleanupTimeoutMs, step);
      return null;
    } catch (error) {
      const text = `${what}: ${textOf(error)}`;
      this.log(text);
      return { what, error, text };
    }
  }
}

/** After success the first failure leads: deregistering before closing. */
function cleanupFailed([first, second]: readonly CleanupIssue[]): MonolithError {
  const known = MonolithError.from(first.error);
  const leading = new MonolithError(known.code, second === undefined ? textOf(first.error) : first.text, known.details, {
    cause: first.error,
  });
  return withCleanup(leading, 'successful role completion', (second ?? first).text);
}

function withCleanup(error: unknown, after: string, issues: string): MonolithError {
  const known = MonolithError.from(error);
  const text = `${textOf(error)} (discovery cleanup encountered issues after ${after}: ${issues})`;
  return new MonolithError(known.code, text, known.details, { cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
