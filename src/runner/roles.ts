import { randomUUID } from 'node:crypto';
import { MonolithError } from '../base/index.js';
import type { RunConfig } from '../config/index.js';
import { RpcChannel, RpcServer, type RpcService } from '../grpc/index.js';
import { trainingJobPaths } from '../proto/index.js';
import {
  type MessageDuplex,
  RemoteShard,
  rpcControl,
  rpcExchange,
  rpcMessages,
  ShardBridge,
  ShardHost,
  type ShardLine,
} from '../ps/index.js';
import { type RunSpec, shardSpecOf } from '../training/index.js';
import { ChiefLink } from './chief-link.js';
import { DistributedEngine, stopped } from './distributed-engine.js';
import { advertisedAddress, bindAddress, channelOptions, serverSecurity } from './endpoint.js';
import { Follower } from './follower.js';
import { Followers } from './followers.js';
import { ChiefPulse, JobLifetime } from './job-lifetime.js';
import { Peers } from './peers.js';
import type { RoleContext } from './run-distributed.js';
import { configDifference, sharedConfig } from './shared-config.js';

/** One attempt to reach the chief. */
const CONNECT_TIMEOUT_MS = 5000;
/** How long others get to hear that the job failed: every process ends within its timeout and a second. */
const FAREWELL_MS = 500;
/** How long calls under way get when a server closes. */
const DRAIN_MS = 300;

/** What the body of a role works with. */
export type RoleParts = {
  readonly config: RunConfig;
  readonly context: RoleContext;
  /** The address that the discovery lists for this process without being told; null where it lists none. */
  readonly listed: string | null;
  /** Version of the program. */
  readonly version: string;
};

/** Names and sizes of the data files of a run. */
export type DataIdentity = { readonly train: string; readonly evaluation: string };

/**
 * The body of a parameter server: serves one shard until the chief says that the job is done.
 * @throws what the chief ended the job with; Unavailable naming the chief when it is gone; Cancelled when this process is to stop.
 */
export async function runPs(parts: RoleParts): Promise<void> {
  const { config, context } = parts;
  const { distributed } = config;
  const host = new ShardHost({
    shard: context.config.index,
    numShards: config.ps,
    backend: config.backend,
    stateFolder: distributed.stateFolder,
    log: context.log,
  });
  const lifetime = new JobLifetime({ ...distributed, log: context.log });
  let server: RpcServer | null = null;
  try {
    server = await listen(parts, [...host.services, lifetime.service]);
    const done = distributed.keep ? [lifetime.ended] : [lifetime.ended, host.finished];
    await Promise.race([...done, stopped(context.signal)]);
    context.log('the job is done');
  } finally {
    lifetime.close();
    await server?.close(DRAIN_MS);
    host.close();
  }
}

/**
 * The body of a worker other than the chief: trains on its part of every step until the chief says that the job is done.
 * @throws what the chief ended the job with, what failed here, Unavailable naming the chief or the parameter server that is gone.
 */
export async function runWorker(parts: RoleParts): Promise<void> {
  const { config, context } = parts;
  const { distributed } = config;
  const worker = context.config.index;
  const peers = new Peers(context.discovery, typesOf(config));
  let server: RpcServer | null = null;
  let starting: Promise<Follower> | null = null;
  let follower: Follower | null = null;
  let link: ChiefLink | null = null;
  let reason: MonolithError | null = null;
  try {
    // Nobody calls a worker; its health is what this is for.
    server = await listen(parts, []);
    let jobOf = '';
    const failed = new Promise<never>((_, reject) => {
      const start = async (job: string): Promise<Follower> => {
        jobOf = job;
        follower = await Follower.start({
          config,
          worker,
          openBridge: (line, spec) => openBridge(parts, peers, jobOf, line, spec),
          answer: (answer) => link?.answer(answer),
        });
        follower.failed.catch(reject);
        return follower;
      };
      const opened = new ChiefLink({
        worker,
        config: sharedConfig(config),
        version: parts.version,
        connect: () => connectToChief(parts, peers),
        peerTimeoutMs: distributed.peerTimeoutMs,
        startTimeoutMs: distributed.startTimeoutMs,
        onWelcome: (job) => {
          context.log(`the chief leads job ${job}`);
          starting = start(job);
          starting.catch(reject);
        },
        onCommand: (command) => {
          void starting?.then(
            (ready) => ready.command(command),
            () => {},
          );
        },
        onEvent: context.log,
      });
      link = opened;
    });
    const open = link as ChiefLink | null;
    try {
      await Promise.race([open?.ended, failed, stopped(context.signal)]);
    } catch (error) {
      reason = MonolithError.from(error);
      open?.fail(reason, (follower as Follower | null)?.badBatch ?? null);
      throw reason;
    }
    context.log('the job is done');
  } finally {
    await farewell(link);
    await (starting as Promise<Follower> | null)?.catch(() => {});
    await (follower as Follower | null)?.close(reason);
    await server?.close(DRAIN_MS);
  }
}

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
  const peers = new Peers(context.discovery, typesOf(config));
  const streams: { accept: (duplex: MessageDuplex) => void } = {
    accept: (duplex) => duplex.close(),
  };
  const service: RpcService = {
    name: trainingJobPaths.follow.split('/')[1],
    duplex: { Follow: (stream) => streams.accept(rpcMessages(stream, 'server')) },
  };
  const server = await listen(parts, [service]);
  const pulses: ChiefPulse[] = [];
  const shards: RemoteShard[] = [];
  let followers: Followers | null = null;
  const start: StartDistributed = async (spec, identity) => {
    await context.parameterServers();
    for (let s = 0; s < spec.ps; s++) {
      const address = (): Promise<string> => peers.address('ps', s);
      const channel = channelOptions(distributed);
      pulses.push(new ChiefPulse(job, address, channel, distributed.peerTimeoutMs));
      const connect = rpcControl({ resolveAddress: address, channel });
      shards.push(new RemoteShard(connect, { job, shard: s, spec: shardSpecOf(spec), peerTimeoutMs: distributed.peerTimeoutMs }));
    }
    return DistributedEngine.start({
      spec,
      shards,
      identity,
      startTimeoutMs: distributed.startTimeoutMs,
      signal: context.signal,
      openBridge: (line) => openBridge(parts, peers, job, line, spec),
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

/** Listens, and announces where. */
async function listen({ config, context, listed }: RoleParts, services: readonly RpcService[]): Promise<RpcServer> {
  const { distributed } = config;
  const { host, port } = bindAddress(distributed, listed);
  const server = await RpcServer.start({ host, port, security: serverSecurity(distributed), services, log: context.log });
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

function openBridge({ config, context }: RoleParts, peers: Peers, job: string, line: ShardLine, spec: RunSpec): ShardBridge {
  const { distributed } = config;
  const connect = rpcExchange({ resolveAddress: () => peers.address('ps', line.shard), channel: channelOptions(distributed) });
  return new ShardBridge(line, connect, {
    job,
    numShards: spec.ps,
    peerTimeoutMs: distributed.peerTimeoutMs,
    onEvent: ({ kind, peer, reason }) =>
      context.log(
        kind === 'lost'
          ? `lost parameter server ${line.shard} at ${peer}: ${reason}`
          : `reached parameter server ${line.shard} at ${peer} again`,
      ),
  });
}

async function connectToChief({ config }: RoleParts, peers: Peers): Promise<MessageDuplex> {
  const channel = new RpcChannel(await peers.address('worker', 0), channelOptions(config.distributed));
  try {
    await channel.ready(CONNECT_TIMEOUT_MS);
    return rpcMessages(channel.duplex(trainingJobPaths.follow), 'client', () => channel.close());
  } catch (error) {
    channel.close();
    throw error;
  }
}

function typesOf({ discovery }: RunConfig): { readonly ps: string; readonly worker: string } {
  return { ps: discovery.psType, worker: discovery.workerType };
}

/** What was said last needs a moment to go out. */
async function farewell(link: ChiefLink | null): Promise<void> {
  if (link === null) return;
  link.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
}
