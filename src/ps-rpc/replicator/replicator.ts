import { MonolithError } from '../../base/index.js';
import { type ChannelSecurity, RpcChannel } from '../../grpc/index.js';
import type { FidTable } from '../../kernels/index.js';
import { pushRequestCodec, pushResponseCodec } from '../../proto/index.js';
import { PendingRows } from './pending-rows.js';

/** Path of the receiving service. */
export const PARAMETER_SYNC_SERVICE = 'monolith.parameter_sync_rpc.ParameterSyncRpc';

export type ReplicatorOptions = {
  /** host:port of each receiver. */
  readonly targets: readonly string[];
  /** Time between pushes; default 10000, as in the original. */
  readonly intervalMs?: number;
  /** Default 1000. */
  readonly timeoutMs?: number;
  readonly modelName?: string;
  readonly signatureName?: string;
  /** Rows of one push; default 10000. */
  readonly rowsPerPush?: number;
  /** Ids a table that may wait for one target; beyond it the table is sent whole. Default 1000000. */
  readonly maxPending?: number;
  readonly security?: ChannelSecurity;
};

/** How one target is doing. */
export type TargetState = {
  readonly target: string;
  readonly pushes: number;
  readonly rowsPushed: number;
  readonly failures: number;
  /** Ids that wait. */
  readonly pending: number;
  readonly lastError: string | null;
};

/**
 * Pushes rows that have changed to serving, as they are at the time of the push. Each target has its own connection, queue and pace: one that is
 * down or slow keeps its changes until it is back and holds up nobody. Ids whose push failed wait again; nothing is lost, and no target's queue
 * grows beyond a limit.
 */
export class ParameterSyncReplicator {
  readonly #targets: readonly Target[];

  /** Starts at once. Throws InvalidConfig for targets or numbers that can't be. */
  constructor(find: (table: string) => FidTable | undefined, options: ReplicatorOptions) {
    const { intervalMs = 10_000, timeoutMs = 1000, rowsPerPush = 10_000, maxPending = 1_000_000 } = options;
    for (const [name, value] of Object.entries({ intervalMs, timeoutMs, rowsPerPush, maxPending })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new MonolithError('InvalidConfig', `replicator ${name}: expected a whole number ≥ 1, got ${value}`, { option: name, value });
      }
    }
    this.#targets = options.targets.map(
      (target) => new Target(target, find, { ...options, intervalMs, timeoutMs, rowsPerPush, maxPending }),
    );
  }

  /** Ids at whose position `changed` is 1 were made or updated. */
  changed(table: string, fids: BigInt64Array, changed: Uint8Array): void {
    for (const target of this.#targets) target.pending.add(table, fids, changed);
  }

  get targets(): readonly TargetState[] {
    return this.#targets.map((target) => target.state());
  }

  /** Pushes no more; a running push is cut off. Twice is fine. */
  async stop(): Promise<void> {
    await Promise.all(this.#targets.map((target) => target.stop()));
  }
}

type Settings = ReplicatorOptions & Required<Pick<ReplicatorOptions, 'intervalMs' | 'timeoutMs' | 'rowsPerPush' | 'maxPending'>>;

class Target {
  readonly pending: PendingRows;
  readonly #channel: RpcChannel;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #pushes = 0;
  #rowsPushed = 0;
  #failures = 0;
  #lastError: string | null = null;

  constructor(
    readonly address: string,
    private readonly find: (table: string) => FidTable | undefined,
    private readonly settings: Settings,
  ) {
    this.pending = new PendingRows(settings.maxPending);
    this.#channel = new RpcChannel(address, settings.security === undefined ? {} : { security: settings.security });
    this.#schedule();
  }

  state(): TargetState {
    return {
      target: this.address,
      pushes: this.#pushes,
      rowsPushed: this.#rowsPushed,
      failures: this.#failures,
      pending: this.pending.ids,
      lastError: this.#lastError,
    };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    this.#channel.close();
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#pushAll().finally(() => {
        this.#running = null;
        this.#schedule();
      });
    }, this.settings.intervalMs);
    this.#timer.unref();
  }

  /** Everything that waits, in messages of limited size, until one fails. */
  async #pushAll(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const batch = this.pending.next(this.settings.rowsPerPush, this.find);
      if (batch === null) return;
      try {
        if (batch.delta.fids.length > 0) await this.#push(batch.delta);
        batch.taken();
      } catch (error) {
        this.pending.restore();
        this.#failures++;
        this.#lastError = error instanceof Error ? error.message : String(error);
        return;
      }
    }
  }

  async #push(delta: Parameters<typeof pushRequestCodec.encode>[0]['deltaHashTables'][number]): Promise<void> {
    const { modelName = '', signatureName = 'hashtable_assign', timeoutMs } = this.settings;
    const request = { modelName, signatureName, deltaHashTables: [delta], deltaMultiHashTables: [], timeoutInMs: timeoutMs };
    const call = { deadlineMs: timeoutMs, signal: this.#stop.signal };
    const { message } = await this.#channel.unary(`/${PARAMETER_SYNC_SERVICE}/Push`, pushRequestCodec.encode(request), call);
    const { statusCode, errorMessage, updateNum } = pushResponseCodec.decode(message);
    if (statusCode !== 0 || updateNum < delta.fids.length) {
      const why = `${this.address} took ${updateNum} of ${delta.fids.length} rows of table "${delta.uniqueId}" (status ${statusCode}): ${errorMessage || 'no reason given'}`;
      throw new MonolithError('RpcError', why, { peer: this.address, statusCode, updateNum });
    }
    this.#pushes++;
    this.#rowsPushed += delta.fids.length;
    this.#lastError = null;
  }
}
