// Scripted workers against real shard hosts over gRPC on this machine.
import { RpcServer } from '../../src/grpc/index.js';
import {
  NormMeeting,
  RemoteShard,
  rpcControl,
  rpcExchange,
  ShardBridge,
  ShardHost,
  type ShardHostOptions,
} from '../../src/ps-rpc/index.js';
import type { ScriptedWorkers } from './scripted-job.js';

export type Hosted = { host: ShardHost; server: RpcServer };

export async function startHost(shard: number, numShards: number, options: Partial<ShardHostOptions> = {}): Promise<Hosted> {
  const host = new ShardHost({ shard, numShards, backend: 'auto', stateFolder: null, ...options });
  return { host, server: await RpcServer.start({ services: host.services }) };
}

export async function stopHost({ host, server }: Hosted): Promise<void> {
  host.close();
  await server.close(0);
}

/** The chief's end: shards configured and given the starting values. `address(s)` says where shard s is now. */
export async function startJob(
  workers: ScriptedWorkers,
  address: (shard: number) => string,
  job = 'job',
  peerTimeoutMs = 20_000,
): Promise<{ remotes: RemoteShard[]; bridges: ShardBridge[] }> {
  const { spec } = workers;
  const shards = Array.from({ length: spec.layout.numShards }, (_, s) => s);
  const resolve = (s: number) => ({ resolveAddress: () => Promise.resolve(address(s)) });
  const remotes = shards.map((shard) => new RemoteShard(rpcControl(resolve(shard)), { job, shard, spec, peerTimeoutMs }));
  const { parameters, state } = workers.initialDense();
  for (const remote of remotes) {
    await remote.configure();
    await remote.writeDense(parameters, state);
    await remote.committed(0);
  }
  const norms = new NormMeeting(shards.length);
  const bridges = workers.workers.flatMap(({ lines }, worker) =>
    lines.map(
      (line) =>
        new ShardBridge(line, rpcExchange(resolve(line.shard)), {
          job,
          numShards: shards.length,
          peerTimeoutMs,
          ...(worker === 0 && { norms }),
        }),
    ),
  );
  await Promise.all(bridges.map((bridge) => bridge.ready));
  return { remotes, bridges };
}
