import { MonolithError } from '../base/index.js';
import { invalidConfiguration } from './cluster-config.js';
import type { BarrierStatus } from './step-barrier.js';

/** What the cluster does for a role. */
export type RoleActions = {
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** One member of a cluster; it runs, or it does not. */
abstract class Role {
  private state: 'stopped' | 'starting' | 'running' | 'stopping' = 'stopped';

  /** @param index its place among the roles of its kind. */
  constructor(
    readonly index: number,
    readonly address: string,
    private readonly label: string,
    private readonly actions: RoleActions,
  ) {}

  get isRunning(): boolean {
    return this.state === 'running';
  }

  /** Whether it neither runs nor is about to. */
  get isStopped(): boolean {
    return this.state === 'stopped';
  }

  /** Its thread is one that somebody else has started, or has ended. */
  adopt(runs = true): void {
    this.state = runs ? 'running' : 'stopped';
  }

  /** @throws InvalidConfiguration when it runs already; what its thread failed with. */
  async start(): Promise<void> {
    if (this.state !== 'stopped') throw invalidConfiguration(`${this.label} ${this.index} is already running`, { index: this.index });
    this.state = 'starting';
    try {
      await this.actions.start();
      this.state = 'running';
    } catch (error) {
      this.state = 'stopped';
      throw error;
    }
  }

  /** @throws InvalidConfiguration when it does not run. */
  async stop(): Promise<void> {
    if (this.state !== 'running') throw invalidConfiguration(`${this.label} ${this.index} is not running`, { index: this.index });
    this.state = 'stopping';
    try {
      await this.actions.stop();
    } finally {
      this.state = 'stopped';
    }
  }
}

/** A parameter server: one shard of the named parameters, and the thread that owns it while it runs. */
export class ParameterServerRole extends Role {
  constructor(index: number, address: string, actions: RoleActions) {
    super(index, address, 'parameter server', actions);
  }
}

/** A worker: its step, and its place in the barrier. */
export class WorkerRole extends Role {
  constructor(
    index: number,
    address: string,
    actions: RoleActions,
    private readonly steps: Float64Array,
    private readonly arrive: (worker: number) => BarrierStatus,
  ) {
    super(index, address, 'worker', actions);
  }

  /** Steps done. */
  get currentStep(): number {
    return this.steps[this.index];
  }

  /** One more step without gradients; answers with the steps done. @throws CommunicationError when it does not run. */
  step(): number {
    this.requireRunning();
    return ++this.steps[this.index];
  }

  /** {@link LocalCluster.syncBarrier} of this worker. @throws CommunicationError when it does not run. */
  syncBarrier(): BarrierStatus {
    this.requireRunning();
    return this.arrive(this.index);
  }

  private requireRunning(): void {
    if (!this.isRunning) throw new MonolithError('CommunicationError', 'Worker is not running', { worker: this.index });
  }
}
