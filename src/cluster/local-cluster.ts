import { MonolithError, monotonicMs } from '../base/index.js';
import type { RunSpec } from '../steps/index.js';
import { type ClusterConfig, checkClusterConfig, invalidConfiguration, type LocalClusterOptions } from './cluster-config.js';
import { type NamedGradients, NamedValues } from './named-values.js';
import { RoleThreads, type ShardThreads } from './role-threads.js';
import { ParameterServerRole, type RoleActions, WorkerRole } from './roles.js';
import { type BarrierStatus, StepBarrier } from './step-barrier.js';
import { TrainingDelegate } from './training-delegate.js';
import { TrainingThreads } from './training-threads.js';

/** Learning rate of named parameters beside a training run, unless stated. */
const DEFAULT_LEARNING_RATE = 0.01;
/** Longest time that Node's timers take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What a cluster holds now, for people and for tests of what it forgets. */
export type ClusterDiagnostics = {
  readonly running: { readonly ps: readonly boolean[]; readonly workers: readonly boolean[] };
  readonly workerSteps: readonly number[];
  /** Releases of the barrier that are still remembered. */
  readonly releaseMarkers: number;
  readonly releasedEpochs: readonly number[];
  /** Workers that are at a barrier not yet released. */
  readonly waiters: number;
  readonly parameters: readonly { readonly name: string; readonly shard: number; readonly version: number; readonly length: number }[];
};

/**
 * Parameter servers and workers as threads of this process. Each parameter server is a thread that owns its shard of the named parameters,
 * and in a training run ({@link LocalCluster.start}) also its shard of tables and dense parameters; a run has a thread for each worker too.
 * Without a run the caller is the workers: it computes gradients and hands them over with {@link LocalCluster.trainStep}.
 *
 * All methods may be called at the same time; requests to one shard are carried out in the order of the calls. A thread that dies ends the
 * cluster: what waits for it throws WorkerDied, and after {@link LocalCluster.stop} it can be started again.
 */
export class LocalCluster extends TrainingDelegate {
  readonly parameterServers: readonly ParameterServerRole[];
  readonly workers: readonly WorkerRole[];
  readonly learningRate: number;
  private readonly named: NamedValues;
  private readonly barrier: StepBarrier;
  private readonly roleThreads: RoleThreads;
  private run: TrainingThreads | null = null;
  private starting: Promise<unknown> = Promise.resolve();

  /** Nothing is started. @throws InvalidConfiguration for the first rule that `config` breaks. */
  constructor(config: ClusterConfig, options: LocalClusterOptions) {
    super();
    checkClusterConfig(config, options);
    const { psAddrs, workerAddrs } = config;
    this.learningRate = options.learningRate;
    this.named = new NamedValues(psAddrs.length);
    this.barrier = new StepBarrier(workerAddrs.length);
    this.roleThreads = new RoleThreads(psAddrs.length, workerAddrs.length);
    this.parameterServers = psAddrs.map((address, s) => new ParameterServerRole(s, address, this.shardActions(s)));
    this.workers = workerAddrs.map((address, w) => {
      const actions = { start: async () => this.requireNoRun(), stop: () => this.endRole(async () => {}) };
      return new WorkerRole(w, address, actions, this.barrier.steps, (worker) => this.syncBarrier(worker));
    });
  }

  /**
   * A cluster that trains: starts the threads of `spec` and waits until they are ready.
   * @throws what a thread failed with: BackendUnavailable, InvalidModel, …
   */
  static async start(spec: RunSpec, options: LocalClusterOptions = { learningRate: DEFAULT_LEARNING_RATE }): Promise<LocalCluster> {
    const names = (role: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${role}-${i}`);
    const config = { psAddrs: names('ps', spec.ps), workerAddrs: names('worker', spec.workers), taskIndex: 0, isPs: false };
    const cluster = new LocalCluster(config, options);
    const run = await TrainingThreads.start(spec);
    for (const role of [...cluster.parameterServers, ...cluster.workers]) role.adopt();
    cluster.run = run;
    return cluster;
  }

  /**
   * Starts every role and waits until the threads are ready. Parameters, their values and the workers' steps are those of before.
   * @throws InvalidConfiguration when a role runs already; what a thread failed with, and then no role runs.
   */
  async start(): Promise<void> {
    const roles = [...this.parameterServers, ...this.workers];
    this.requireNoRun();
    if (roles.some((role) => !role.isStopped)) throw invalidConfiguration('local cluster is already running');
    const starting = Promise.allSettled(roles.map((role) => role.start()));
    this.starting = starting;
    const started = await starting;
    const failed = started.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    await Promise.allSettled(roles.filter((role) => role.isRunning).map((role) => role.stop()));
    throw failed.reason;
  }

  /**
   * Ends every role that runs, with its thread, after the requests under way; arrivals at barriers and releases are forgotten, waits end.
   * @throws InvalidConfiguration when no role runs.
   */
  async stop(): Promise<void> {
    const roles = [...this.parameterServers, ...this.workers].filter((role) => role.isRunning);
    if (roles.length === 0) throw invalidConfiguration('local cluster is not running');
    if (this.run !== null) {
      await this.close();
      return;
    }
    await Promise.all(roles.map((role) => role.stop()));
    this.barrier.clear();
  }

  /** Ends all threads, whatever their state. Twice is fine. */
  async close(): Promise<void> {
    await this.starting;
    const { run } = this;
    if (run !== null) {
      this.barrier.interrupt(notFullyRunning);
      for (const role of [...this.parameterServers, ...this.workers]) role.adopt(false);
      this.barrier.clear();
      await run.close();
    } else if ([...this.parameterServers, ...this.workers].some((role) => role.isRunning)) await this.stop();
  }

  /**
   * Gives a named parameter to its shard. Registering again replaces the values and raises the version, which starts at 1.
   * @param values [n] float32 or what rounds to it; copied.
   * @returns the shard: h = Σ h·31 + byte over the UTF-8 bytes of the name modulo 2^64, modulo the number of shards.
   * @throws InvalidConfiguration unless every role runs.
   */
  async registerParameter(name: string, values: ArrayLike<number>): Promise<number> {
    this.requireRunning();
    return this.named.register(this.threads(), name, values);
  }

  /**
   * One step of a worker: value -= learningRate · gradient for each parameter named, in sorted order, by the threads of their shards. All of
   * them or none: everything is checked first. The worker's step is one more afterwards.
   * @param gradients by name, each as long as its parameter; none is fine. Copied.
   * @returns new values of the parameters named.
   * @throws InvalidConfiguration (a role does not run, no such worker), ParameterNotFound, CommunicationError (length).
   */
  async trainStep(worker: number, gradients: NamedGradients): Promise<{ readonly [name: string]: Float32Array }> {
    this.requireRunning();
    this.requireWorker(worker);
    const updated = await this.named.step(this.threads(), this.learningRate, gradients);
    this.barrier.steps[worker]++;
    return updated;
  }

  /** A copy of a parameter's values, null when no parameter has this name. In any state of the cluster. */
  getParameter(name: string): Promise<Float32Array | null> {
    return this.named.get(name);
  }

  /** Steps that a worker has done. @throws InvalidConfiguration when there is no such worker. */
  workerStep(worker: number): number {
    this.requireWorker(worker);
    return this.barrier.steps[worker];
  }

  /**
   * The worker arrives at the barrier of its present step, its epoch; never waits. The arrival that completes it, and every later one at that
   * epoch, finds it released.
   * @throws InvalidConfiguration (no such worker, a role does not run).
   */
  syncBarrier(worker: number): BarrierStatus {
    this.requireWorker(worker);
    this.requireRunning();
    return this.barrier.arrive(worker);
  }

  /**
   * Arrives like {@link LocalCluster.syncBarrier} and waits until the epoch is released; the arrival that releases it ends the wait at once.
   * @param timeoutMs 0 looks once. @param pollMs > 0, longest time between two looks at whether the cluster still runs.
   * @throws BarrierTimeout, and then the worker has not arrived; InvalidConfiguration as above, and when a role stops meanwhile.
   */
  async waitForBarrier(worker: number, timeoutMs: number, pollMs: number): Promise<BarrierStatus> {
    if (!(pollMs > 0)) throw invalidConfiguration(`wait_for_barrier requires a non-zero poll interval, got ${pollMs} ms`);
    if (!(timeoutMs >= 0)) throw invalidConfiguration(`wait_for_barrier requires a timeout of at least 0 ms, got ${timeoutMs}`);
    const status = this.syncBarrier(worker);
    if (status.state === 'released') return status;
    const { epoch } = status;
    const deadline = monotonicMs() + timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    let takeBack: () => void = () => {};
    try {
      return await new Promise<BarrierStatus>((resolve, reject) => {
        takeBack = this.barrier.whenReleased(epoch, worker, (end) => (end instanceof Error ? reject(end) : resolve(end)));
        const look = (): void => {
          const left = deadline - monotonicMs();
          if (!this.isFullyRunning) reject(notFullyRunning());
          else if (left <= 0) reject(this.barrierTimeout(epoch, timeoutMs));
          else timer = setTimeout(look, Math.min(Math.ceil(left), pollMs, LONGEST_TIMER_MS));
        };
        look();
      });
    } catch (error) {
      takeBack();
      this.barrier.leave(epoch, worker);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  diagnostics(): ClusterDiagnostics {
    const { releasedEpochs } = this.barrier;
    return {
      running: { ps: this.parameterServers.map((role) => role.isRunning), workers: this.workers.map((role) => role.isRunning) },
      workerSteps: [...this.barrier.steps],
      releaseMarkers: releasedEpochs.length,
      releasedEpochs,
      waiters: this.barrier.numWaiting,
      parameters: this.named.describe(),
    };
  }

  /** Ends one thread as a crash would: for tests of what the run then does. */
  async terminateThread(role: 'worker' | 'ps', index: number): Promise<void> {
    if (this.run !== null) await this.run.terminateThread(role, index);
    else if (role === 'ps') await this.roleThreads.terminate(index);
  }

  protected get training(): TrainingThreads {
    if (this.run === null) throw invalidConfiguration('local cluster has no training run; LocalCluster.start(spec) makes one that has');
    return this.run;
  }

  private get isFullyRunning(): boolean {
    return this.parameterServers.every((role) => role.isRunning) && this.workers.every((role) => role.isRunning);
  }

  private threads(): ShardThreads {
    return this.run ?? this.roleThreads;
  }

  private shardActions(shard: number): RoleActions {
    return {
      start: async () => {
        this.requireNoRun();
        await this.roleThreads.start(shard);
        try {
          await this.named.restore(this.roleThreads, shard);
        } catch (error) {
          await this.roleThreads.stop(shard);
          throw error;
        }
      },
      stop: () =>
        this.endRole(async () => {
          await this.named.idle();
          await this.roleThreads.stop(shard);
        }),
    };
  }

  /** With one role gone nobody will be released. */
  private async endRole(end: () => Promise<void>): Promise<void> {
    this.requireNoRun();
    this.barrier.interrupt(notFullyRunning);
    await end();
  }

  private requireRunning(): void {
    if (!this.isFullyRunning) throw notFullyRunning();
  }

  private requireNoRun(): void {
    if (this.run === null) return;
    throw invalidConfiguration(
      'local cluster belongs to a training run, whose threads start and end together; LocalCluster.start makes a new one',
    );
  }

  private requireWorker(worker: number): void {
    if (Number.isInteger(worker) && worker >= 0 && worker < this.workers.length) return;
    throw invalidConfiguration(`Worker index ${worker} out of range (0 to ${this.workers.length - 1})`, { worker });
  }

  private barrierTimeout(epoch: number, timeoutMs: number): MonolithError {
    const waited = Math.min(timeoutMs, Number.MAX_SAFE_INTEGER);
    return new MonolithError('BarrierTimeout', `Barrier timeout at epoch ${epoch} after ${waited} ms`, { epoch, timeoutMs: waited });
  }
}

function notFullyRunning(): MonolithError {
  return invalidConfiguration('local cluster is not fully running');
}
