import { randomUUID } from 'node:crypto';
import { MonolithError } from '../base/index.js';
import type { RpcService } from '../grpc/index.js';
import { trainingJobPaths } from '../proto/index.js';
import { type MessageDuplex, NormMeeting, RemoteShard, rpcControl, rpcMessages, type ShardConnect } from '../ps-rpc/index.js';
import { type RunSpec, shardSpecOf } from '../training/index.js';
import { DistributedEngine } from './distributed-engine.js';
import { channelOptions } from './endpoint.js';
import { Followers } from './followers.js';
import { ChiefPulse } from './job-lifetime.js';
import { DRAIN_MS, listen, openBridge, peersOf, type RoleParts } from './role-parts.js';
import { configDifference, sharedConfig } from './shared-config.js';

/** How long others get to hear that the job failed: every process ends within its timeout and a second. */
const FAREWELL_MS = 500;

/** Names and sizes of the data files of a run. */
export type DataIdentity = { readonly train: string; readonly evaluation: string };

/** Starts the engine of a run for whoever has opened its data. */
export type StartDistributed = (spec: RunSpec, identity: DataIdentity) => Promise<DistributedEngine>;

/**
 * The body of the chief: waits for the parameter servers, lets `train` train on an engine that spans all processes, and tells them at the
 * end how it went.
 * @throws what `train` throws: its own errors, and what ended the run, naming the process that is gone.
 */
export async function runChief<T>(parts: RoleParts, train: (start: StartDistributed) => Promise<T>): Promise<T> {
  const { config, context } = parts;
  const { distributed } = config;
  const job = randomUUID();
  const peers = peersOf(parts);
  const streams: { accept: (duplex: MessageDuplex) => void } = {
    accept: (duplex) => duplex.close(),
  };
  const service: RpcService = {
    name: trainingJobPaths.follow.split('/')[1],
    duplex: { Follow: (stream) => streams.accept(rpcMessages(stream, 'server')) },
  };
  const server = await listen(parts, [service], ['training_job.proto']);
  const pulses: ChiefPulse[] = [];
  const shards: RemoteShard[] = [];
  let followers: Followers | null = null;
  const start: StartDistributed = async (spec, identity) => {
    await context.parameterServers();
    for (let s = 0; s < spec.ps; s++) {
      const address = (): Promise<string> => peers.address('ps', s);
      const channel = channelOptions(distributed);
      const pulse = new ChiefPulse(job, address, channel, distributed.peerTimeoutMs);
      pulses.push(pulse);
      const connect = explained(rpcControl({ resolveAddress: address, channel }), pulse);
      shards.push(new RemoteShard(connect, { job, shard: s, spec: shardSpecOf(spec), peerTimeoutMs: distributed.peerTimeoutMs }));
    }
    const norms = spec.clip.globalNorm > 0 && spec.ps > 1 ? new NormMeeting(spec.ps) : undefined;
    return DistributedEngine.start({
      spec,
      shards,
      identity,
      barrierTimeoutMs: context.config.barrierTimeoutMs,
      startTimeoutMs: distributed.startTimeoutMs,
      signal: context.signal,
      openBridge: (line) => openBridge(parts, peers, job, line, spec, norms),
      openFollowers: (handlers) => {
        const ours = sharedConfig(config);
        const opened = new Followers({
          job,
          workers: spec.workers,
          peerTimeoutMs: distributed.peerTimeoutMs,
          refuse: (worker, theirs) => configDifference(`worker ${worker}`, ours, theirs),
          ...handlers,
        });
        followers = opened;
        streams.accept = (duplex) => opened.accept(duplex);
        return opened;
      },
    });
  };
  const end = async (error: MonolithError | null): Promise<void> => {
    const ms = error === null ? distributed.peerTimeoutMs : FAREWELL_MS;
    if (error === null) await Promise.all(shards.map((shard) => shard.finish()));
    await Promise.all([
      (followers as Followers | null)?.end(error, ms),
      ...pulses.map((pulse) => pulse.end(error, Math.min(ms, FAREWELL_MS))),
    ]);
    for (const shard of shards) shard.close();
  };
  try {
    const result = await train(start);
    await end(null);
    return result;
  } catch (error) {
    await end(MonolithError.from(error));
    throw error;
  } finally {
    await server.close(DRAIN_MS);
  }
}

/** A connection that does not come about says nothing of certificates; a call that fails does. */
function explained(connect: ShardConnect, pulse: ChiefPulse): ShardConnect {
  return async () => {
    try {
      return await connect();
    } catch (error) {
      throw pulse.trouble?.code === 'Unavailable' ? pulse.trouble : error;
    }
  };
}
