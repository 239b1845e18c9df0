import { defaultRpcLimits, type RpcLimits, RpcServer, type RpcService, type ServerSecurity } from '../../grpc/index.js';
import { type BackendChoice, selectBackend } from '../../kernels/index.js';
import { fileDescriptors } from '../../proto/index.js';
import { ParameterSyncReplicator, type ReplicatorOptions } from '../replicator/replicator.js';
import type { PsLimits } from './limits.js';
import { type PsDiagnostics, PsService, type PsServiceOptions } from './ps-service.js';

export type PsServerOptions = Omit<PsServiceOptions, 'backend' | 'messageBytes' | 'onChange' | 'limits'> & {
  /** Default 127.0.0.1; anything else needs TLS or `insecure`. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  readonly security?: ServerSecurity;
  readonly limits?: Partial<PsLimits & RpcLimits>;
  /** Default 'auto'. */
  readonly backend?: BackendChoice;
  /** Push changed rows to serving. */
  readonly replicator?: ReplicatorOptions;
  /** Further services on the same port. */
  readonly services?: readonly RpcService[];
  readonly log?: (line: string) => void;
};

/** A parameter-server shard that serves {@link PsClient}s, with the standard health service and reflection beside it. */
export class PsServer {
  /** Starts to serve. Throws InvalidConfig for options that can't be, Unavailable when the address is taken. */
  static async start(options: PsServerOptions = {}): Promise<PsServer> {
    const { host, port, security, limits = {}, services = [], log } = options;
    const { backend } = selectBackend(options.backend ?? 'auto');
    const rpcLimits = pick(limits, ['messageBytes', 'streamsPerConnection', 'concurrentCalls', 'connections', 'callsPerSecond'] as const);
    const psLimits = pick(limits, [
      'idsPerRequest',
      'nameLength',
      'tables',
      'dim',
      'rowsPerTable',
      'barriers',
      'sessions',
      'window',
    ] as const);
    let replicator: ParameterSyncReplicator | null = null;
    const service = new PsService({
      ...options,
      backend,
      limits: psLimits,
      messageBytes: rpcLimits.messageBytes ?? defaultRpcLimits.messageBytes,
      ...(options.replicator !== undefined && { onChange: (table, fids, changed) => replicator?.changed(table, fids, changed) }),
    });
    if (options.replicator !== undefined) {
      replicator = new ParameterSyncReplicator((name) => service.tables.find(name)?.table, options.replicator);
    }
    try {
      const rpc = await RpcServer.start({
        ...(host !== undefined && { host }),
        ...(port !== undefined && { port }),
        ...(security !== undefined && { security }),
        ...(log !== undefined && { log }),
        limits: rpcLimits,
        services: [service.rpc(), ...services],
        reflection: fileDescriptors(['ps_training.proto']),
      });
      return new PsServer(rpc, service, replicator);
    } catch (error) {
      await replicator?.stop();
      throw error;
    }
  }

  private constructor(
    private readonly rpc: RpcServer,
    private readonly service: PsService,
    /** Pushes changed rows; null where none was asked for. */
    readonly replicator: ParameterSyncReplicator | null,
  ) {}

  /** host:port */
  get address(): string {
    return this.rpc.address;
  }

  get port(): number {
    return this.rpc.port;
  }

  get diagnostics(): PsDiagnostics {
    return this.service.diagnostics;
  }

  /** Ends regularly: waiting barriers are answered "cancelled", running calls may end for up to `drainMs`. Twice is fine. */
  async close(drainMs = 1000): Promise<void> {
    await this.replicator?.stop();
    await this.rpc.close(drainMs);
  }
}

function pick<T extends object, K extends keyof T>(from: Partial<T>, keys: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Partial<Pick<T, K>>;
}
