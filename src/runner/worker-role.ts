import { MonolithError } from '../base/index.js';
import { RpcChannel } from '../grpc/index.js';
import { trainingJobPaths } from '../proto/index.js';
import { type MessageDuplex, rpcMessages } from '../ps-rpc/index.js';
import { ChiefLink } from './chief-link.js';
import { stopped } from './distributed-engine.js';
import { channelOptions } from './endpoint.js';
import { Follower } from './follower.js';
import type { Peers } from './peers.js';
import { DRAIN_MS, listen, openBridge, peersOf, type RoleParts } from './role-parts.js';
import { sharedConfig } from './shared-config.js';

/** The longest attempt to reach the chief. */
const CONNECT_TIMEOUT_MS = 5000;
/** How long a call on a channel without a connection may take to say why there is none. */
const REASON_MS = 300;
/** What was said last needs a moment to go out. */
const FAREWELL_MS = 50;

/**
 * The body of a worker other than the chief: trains on its part of every step until the chief says that the job is done.
 * @throws what the chief ended the job with, what failed here, Unavailable naming the chief or the parameter server that is gone.
 */
export async function runWorker(parts: RoleParts): Promise<void> {
  // Nobody calls a worker; its health is what this is for.
  const server = await listen(parts, [], []);
  const worker = new WorkerRole(parts, peersOf(parts));
  let reason: MonolithError | null = null;
  try {
    await Promise.race([worker.ended, stopped(parts.context.signal)]);
    parts.context.log('the job is done');
  } catch (error) {
    reason = MonolithError.from(error);
    throw reason;
  } finally {
    await worker.close(reason);
    await server.close(DRAIN_MS);
  }
}

/** A follower and its line to the chief: the follower starts when the chief has taken the worker in. */
class WorkerRole {
  /** Fulfilled when the chief says that the job is done; rejects with what ended it, here or elsewhere. */
  readonly ended: Promise<void>;
  private readonly link: ChiefLink;
  private job = '';
  private follower: Follower | null = null;
  private starting: Promise<Follower> | null = null;
  private reject: (error: unknown) => void = () => {};

  constructor(
    private readonly parts: RoleParts,
    private readonly peers: Peers,
  ) {
    const { config, context, version } = parts;
    const { peerTimeoutMs } = config.distributed;
    const failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    this.link = new ChiefLink({
      worker: context.config.index,
      config: sharedConfig(config),
      version,
      connect: () => this.connect(),
      peerTimeoutMs,
      barrierTimeoutMs: context.config.barrierTimeoutMs,
      onWelcome: (job) => {
        context.log(`the chief leads job ${job}`);
        this.job = job;
        this.starting = this.start();
        this.starting.catch(this.reject);
      },
      onCommand: (command) => {
        void this.starting?.then(
          (follower) => follower.command(command),
          () => {},
        );
      },
      onEvent: context.log,
    });
    this.ended = Promise.race([this.link.ended, failed]);
    this.ended.catch(() => {});
  }

  /** Tells the chief what ended this worker, if that arose here, and ends everything. */
  async close(reason: MonolithError | null): Promise<void> {
    if (reason !== null) this.link.fail(reason, this.follower?.badBatch ?? null);
    this.link.close();
    await new Promise((resolve) => setTimeout(resolve, FAREWELL_MS));
    await this.starting?.catch(() => {});
    await this.follower?.close(reason);
  }

  private async start(): Promise<Follower> {
    const { parts, peers, link } = this;
    const follower = await Follower.start({
      config: parts.config,
      worker: parts.context.config.index,
      openBridge: (line, spec) => openBridge(parts, peers, this.job, line, spec),
      answer: (answer) => link.answer(answer),
    });
    this.follower = follower;
    follower.failed.catch(this.reject);
    return follower;
  }

  private async connect(): Promise<MessageDuplex> {
    const { distributed } = this.parts.config;
    const channel = new RpcChannel(await this.peers.address('worker', 0), channelOptions(distributed));
    try {
      await reached(channel, Math.min(CONNECT_TIMEOUT_MS, distributed.peerTimeoutMs));
      return rpcMessages(channel.duplex(trainingJobPaths.follow), 'client', () => channel.close());
    } catch (error) {
      channel.close();
      throw error;
    }
  }
}

/** Waits for a connection. A channel that gets none does not say why; a call on it fails with the reason, a certificate for one. */
async function reached(channel: RpcChannel, timeoutMs: number): Promise<void> {
  try {
    await channel.ready(timeoutMs);
  } catch (error) {
    const why = await channel.unary(trainingJobPaths.alive, new Uint8Array(0), { deadlineMs: REASON_MS }).catch(MonolithError.from);
    throw why instanceof MonolithError && why.code === 'Unavailable' ? why : error;
  }
}
