import type { TrainingConfig } from '../config/index.js';
import { RpcServer, type RpcService } from '../grpc/index.js';
import { fileDescriptors } from '../proto/index.js';
import type { ShardLine } from '../ps/index.js';
import { type NormMeeting, rpcExchange, ShardBridge } from '../ps-rpc/index.js';
import type { RunSpec } from '../training/index.js';
import { advertisedAddress, bindAddress, channelOptions, serverSecurity } from './endpoint.js';
import { Peers } from './peers.js';
import type { RoleContext } from './run-distributed.js';

/** How long calls under way get when a server closes. */
export const DRAIN_MS = 300;

/** What the body of a role works with. */
export type RoleParts = {
  readonly config: TrainingConfig;
  readonly context: RoleContext;
  /** The address that the discovery lists for this process without being told; null where it lists none. */
  readonly listed: string | null;
  /** Version of the program. */
  readonly version: string;
};

/** Listens, and announces where. @param protos files in protos/ that describe the services */
export async function listen(
  { config, context, listed }: RoleParts,
  services: readonly RpcService[],
  protos: readonly string[],
): Promise<RpcServer> {
  const { distributed } = config;
  const { host, port } = bindAddress(distributed, listed);
  const server = await RpcServer.start({
    host,
    port,
    security: serverSecurity(distributed),
    services,
    reflection: fileDescriptors(protos),
    log: context.log,
  });
  try {
    const address = advertisedAddress(distributed, listed, server.host, server.port);
    await context.announce(address);
    context.log(`listening on ${server.address}${address === server.address ? '' : `, announced as ${address}`}`);
    return server;
  } catch (error) {
    await server.close(0);
    throw error;
  }
}

/** Finds the other processes of the job. */
export function peersOf({ config, context }: RoleParts): Peers {
  const { psType, workerType } = config.discovery;
  return new Peers(context.discovery, { ps: psType, worker: workerType });
}

/** The line between the worker of this process and a shard, wherever that is at the time. */
export function openBridge(
  { config, context }: RoleParts,
  peers: Peers,
  job: string,
  line: ShardLine,
  spec: RunSpec,
  norms?: NormMeeting,
): ShardBridge {
  const { distributed } = config;
  const connect = rpcExchange({ resolveAddress: () => peers.address('ps', line.shard), channel: channelOptions(distributed) });
  let lost = false;
  return new ShardBridge(line, connect, {
    job,
    numShards: spec.ps,
    peerTimeoutMs: distributed.peerTimeoutMs,
    ...(norms !== undefined && { norms }),
    onEvent: ({ kind, peer, reason }) => {
      context.log(kind === 'lost' ? `lost ${peer}: ${reason}` : `reached ${peer}${lost ? ' again' : ''}`);
      lost = kind === 'lost';
    },
  });
}
