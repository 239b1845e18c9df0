/** How services find each other. The words appear in messages and in the run log. */
export type DiscoveryKind = 'memory' | 'static' | 'tf_config' | 'mlp' | 'consul' | 'zk' | 'host_files';

/** What is known of a service's state; a backend that can't tell says `unknown`. */
export type ServiceHealth = 'healthy' | 'unhealthy' | 'unknown' | 'starting' | 'stopping';

/** One process that others can reach. Plain JSON. */
export type ServiceInfo = {
  /** Unique in the job: `ps-0`, `worker-1`. */
  readonly id: string;
  /** The name under which others look for it: `ps`, `worker`, or what the run calls these roles. */
  readonly serviceType: string;
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** Texts that travel with the service. `index` is its place in the role, from 0; every backend carries it. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly health: ServiceHealth;
};

/** Ends a watch; calling it again does nothing. */
export type EndWatch = () => void;

/**
 * A place where processes register themselves and find others. One object serves one process; all operations may be called at the same time.
 * Every failure is a MonolithError; where the backend failed its code is `Discovery`, `details.reason` is a {@link DiscoveryReason} and the
 * message holds the backend's own words. An outage ends no training: what is registered is registered again once the backend is back.
 */
export interface Discovery {
  readonly kind: DiscoveryKind;

  /** Makes the connection ready; resolves once the backend answered, at once where there is none to answer. Calling it again does nothing. */
  connect(): Promise<void>;

  /**
   * Announces a service, or changes what is announced under its id (a restarted process takes its old place). Where the backend needs it, the
   * service is kept announced until {@link deregister} or {@link close}. The type names the index in `metadata.index`.
   */
  register(service: ServiceInfo): Promise<void>;

  /** Takes a service back. One that is not registered is no error. */
  deregister(service: ServiceInfo): Promise<void>;

  /** Services of a type that are announced now, in no particular order; none is no error. */
  discover(serviceType: string): Promise<readonly ServiceInfo[]>;

  /** Says that a service registered here is alive. Backends whose connection says so by itself do nothing. */
  heartbeat(serviceId: string): Promise<void>;

  /**
   * Calls back with the services of a type: once with those of now, then whenever they change. Errors of the backend are not reported; it
   * goes on once the backend is back.
   */
  watch(serviceType: string, onChange: (services: readonly ServiceInfo[]) => void): Promise<EndWatch>;

  /** Takes back what was registered here as far as that is possible, ends watches and the connection. Calling it again does nothing. */
  close(): Promise<void>;
}

/** Why an operation of a backend failed. */
export type DiscoveryReason = 'NotFound' | 'ConnectionFailed' | 'Timeout' | 'ConfigError' | 'Closed' | 'Internal';
