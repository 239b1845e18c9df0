import { MonolithError } from '../../base/index.js';
import type { RpcService } from '../../grpc/index.js';
import { type BackendChoice, type KernelBackend, selectBackend } from '../../kernels/index.js';
import { parseShardSpec } from '../../ps/index.js';
import { type ControlMessage, PassingRefusal, serveControl } from './control-call.js';
import { bytesOf } from './copy-bytes.js';
import type { MessageDuplex } from './duplex.js';
import { rpcMessages, SHARD_STREAM_SERVICE } from './rpc.js';
import { ShardJob } from './shard-job.js';
import { makeRows, rowsByteLength, ShardRuntime } from './shard-runtime.js';
import { ShardStore } from './shard-store.js';
import { ShardStreamServer } from './stream-server.js';

export type ShardHostOptions = {
  readonly shard: number;
  readonly numShards: number;
  readonly backend: BackendChoice;
  /** Folder for the journal and the snapshots of this shard, of no other; null: a shard that is restarted has lost its state. */
  readonly stateFolder: string | null;
  /** Journal bytes after which a snapshot is made between two checkpoints; default 1 GiB. */
  readonly journalBytes?: number;
  /** Whether changes are flushed to the disk before they are acknowledged; default: they survive the death of the process only. */
  readonly flushJournal?: boolean;
  /** What the operator should read. */
  readonly log?: (line: string) => void;
};

type Answer = { readonly json: object; readonly parts: readonly Uint8Array[] };
type Request = { readonly kind?: unknown; readonly job?: unknown; readonly shard?: unknown; readonly [name: string]: unknown };

const DONE: Answer = { json: {}, parts: [] };

/** Calls that change nothing and may come beside others. */
const READS: ReadonlySet<string> = new Set(['sizes', 'dump', 'readDense']);

/**
 * One shard in a process of its own: serves workers' streams and the chief's calls. With a state folder, a process that is killed and started
 * again goes on with the job where it was.
 */
export class ShardHost {
  readonly services: readonly RpcService[];
  /** The chief has said that the job is done. */
  readonly finished: Promise<void>;
  readonly streams: ShardStreamServer;
  private readonly backend: KernelBackend;
  private readonly store: ShardStore | null;
  private specText = '';
  /** The last of the calls that change the job or write it down. */
  private turn: Promise<unknown> = Promise.resolve();
  private tellFinished: () => void = () => {};

  /** Takes up what the state folder holds. @throws InvalidConfig, WriteFailed, DiskFull, BackendUnavailable */
  constructor(private readonly options: ShardHostOptions) {
    const { shard, stateFolder, journalBytes, flushJournal = false, log = () => {} } = options;
    this.backend = selectBackend(options.backend).backend;
    this.streams = new ShardStreamServer(shard);
    this.finished = new Promise((resolve) => {
      this.tellFinished = resolve;
    });
    this.store =
      stateFolder === null
        ? null
        : new ShardStore(stateFolder, {
            shard,
            log,
            flush: flushJournal,
            // Not within the request that filled it.
            onFull: () => setImmediate(() => void this.shorten()),
            ...(journalBytes === undefined ? {} : { journalBytes }),
          });
    const restored = this.store?.restore(this.backend) ?? null;
    if (restored !== null) {
      this.specText = restored.spec;
      this.streams.setJob(restored.job);
      log(`shard ${shard}: job ${restored.job.id} restored from ${stateFolder}`);
    }
    this.services = [
      {
        name: SHARD_STREAM_SERVICE,
        duplex: {
          Exchange: (stream) => this.streams.accept(rpcMessages(stream, 'server')),
          Control: (stream) => this.control(rpcMessages(stream, 'server')),
        },
      },
    ];
  }

  /** One call of the chief. */
  control(duplex: MessageDuplex): void {
    serveControl(duplex, (request) => this.answer(request));
  }

  /** Ends all streams and closes files; the state folder stays. */
  close(): void {
    this.streams.setJob(null);
    this.store?.close();
  }

  /** The journal has grown long: a snapshot takes its place between two requests. */
  private async shorten(): Promise<void> {
    const job = this.streams.current;
    const { store } = this;
    if (job === null || store === null) return;
    try {
      await this.inTurn(async () => {
        if (this.streams.current === job) await this.streams.hold(() => store.snapshot(job));
      });
    } catch (error) {
      this.options.log?.(`shard ${this.options.shard}: no snapshot, the journal goes on: ${MonolithError.from(error).message}`);
    }
  }

  /**
   * Work that must not meet other such work: a snapshot, and what changes the job, which a snapshot under way would miss. A call that the chief
   * repeats because it did not hear the answer waits for itself here.
   */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  private async answer({ json, data }: ControlMessage): Promise<Answer> {
    const request = JSON.parse(json) as Request;
    return READS.has(String(request.kind)) ? this.answerNow(request, data) : this.inTurn(() => this.answerNow(request, data));
  }

  private async answerNow(request: Request, data: Uint8Array): Promise<Answer> {
    const { shard } = this.options;
    if (request.shard !== shard) {
      throw new MonolithError(
        'InvalidConfig',
        `a call for shard ${String(request.shard)} came to shard ${shard}; check addresses and --index`,
      );
    }
    if (typeof request.job !== 'string' || request.job.length === 0 || request.job.length > 256) {
      throw new MonolithError('InvalidArgument', 'a call without the name of a job');
    }
    if (request.kind === 'configure') return this.configure(request.job, String(request.spec));
    const job = this.streams.current;
    if (job === null && request.kind === 'finish') {
      // It was told before and died before its answer went out: the state is gone, as it should be.
      this.tellFinished();
      return DONE;
    }
    if (job === null || job.id !== request.job) {
      throw new MonolithError(
        'FailedPrecondition',
        `shard ${shard} does not have job ${request.job}: ${job === null ? 'it has none. It was restarted without its state' : `it has job ${job.id}. Another chief has taken it`}; resume from the last checkpoint`,
        { shard, job: request.job, present: job?.id ?? null },
      );
    }
    if (job.failure !== null && request.kind !== 'finish') throw job.failure;
    return this.carryOut(job, request, data);
  }

  private async carryOut(job: ShardJob, request: Request, data: Uint8Array): Promise<Answer> {
    const { runtime } = job;
    switch (request.kind) {
      case 'sizes':
        return { json: runtime.sizes(), parts: [] };
      case 'dump': {
        const { tables } = runtime;
        const table = whole(request.table, 'table', tables.length - 1);
        const bits = whole(request.bucketBits, 'bucketBits', 31);
        const rows = runtime.dump(table, bits, whole(request.bucket, 'bucket', 2 ** bits - 1));
        const width = tables[table].dim + tables[table].stateLength;
        return { json: { count: rows.count, width }, parts: [new Uint8Array(rows.fids.buffer, 0, rowsByteLength(rows.count, width))] };
      }
      case 'expectRows': {
        const table = whole(request.table, 'table', runtime.tables.length - 1);
        runtime.tables[table].expectRows(whole(request.rows, 'rows', 2 ** 31 - 1));
        return DONE;
      }
      case 'load': {
        const table = whole(request.table, 'table', runtime.tables.length - 1);
        const width = runtime.tables[table].dim + runtime.tables[table].stateLength;
        whole(request.width, 'width', width, width);
        const count = whole(request.count, 'count', 2 ** 31 - 1);
        if (data.length !== rowsByteLength(count, width)) {
          throw new MonolithError(
            'RecordCorrupt',
            `load of ${count} rows of ${width}: ${data.length} bytes, expected ${rowsByteLength(count, width)}`,
          );
        }
        job.load(table, makeRows(count, width, data.buffer as ArrayBuffer));
        return DONE;
      }
      case 'clear':
        job.clear();
        return DONE;
      case 'readDense':
        return { json: {}, parts: denseParts(runtime) };
      case 'writeDense': {
        const [length, stateLength] = denseLengths(runtime);
        if (data.length !== (length + stateLength) * 4) {
          throw new MonolithError('RecordCorrupt', `dense values: ${data.length} bytes, expected ${(length + stateLength) * 4}`);
        }
        job.writeDense(new Float32Array(data.buffer, 0, length), new Float32Array(data.buffer, length * 4, stateLength));
        return DONE;
      }
      case 'committed':
        await this.streams.hold(async () => this.store?.snapshot(job));
        return DONE;
      case 'finish':
        this.store?.remove();
        this.tellFinished();
        return DONE;
      default:
        throw new MonolithError('Unimplemented', `shard ${this.options.shard} knows no call "${String(request.kind)}"`);
    }
  }

  private async configure(id: string, spec: string): Promise<Answer> {
    const { shard, numShards } = this.options;
    const present = this.streams.current;
    if (present !== null && present.id === id && present.failure === null) {
      if (spec === this.specText) return DONE;
      throw new MonolithError('InvalidConfig', `job ${id} is already at shard ${shard} with another configuration`);
    }
    if (present !== null && present.id !== id && present.failure === null && present.isLed) throw new ShardTaken(shard, id, present.id);
    const parsed = parseShardSpec(spec);
    if (parsed.layout.numShards !== numShards) {
      throw new MonolithError(
        'InvalidConfig',
        `the job has ${parsed.layout.numShards} shards, this process is shard ${shard} of ${numShards}; give the same --ps everywhere`,
      );
    }
    // The old tables go before new ones come: both together might not fit.
    this.streams.setJob(null);
    const job = new ShardJob(id, new ShardRuntime(parsed, shard, this.backend), null);
    await this.store?.begin(job, spec);
    this.specText = spec;
    this.streams.setJob(job);
    this.options.log?.(`shard ${shard}: job ${id} with ${parsed.workers} worker(s), ${parsed.tables.length} table(s)`);
    return DONE;
  }
}

/** The chief of another job is there and at work: its job is not taken from it. */
class ShardTaken extends PassingRefusal {
  constructor(shard: number, asked: string, present: string) {
    super(
      'FailedPrecondition',
      `shard ${shard} works for job ${present}, whose chief is connected, and does not take job ${asked}; give each job a discovery folder or name, and parameter servers, of its own, or end that job first`,
      { shard, job: asked, present },
    );
  }
}

function whole(value: unknown, name: string, most: number, least = 0): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new MonolithError('InvalidArgument', `${name} is ${String(value)}, expected a whole number in ${least}..${most}`, { name });
}

/** Floats of the shard's blocks, and of their state. */
function denseLengths({ owned }: ShardRuntime): [number, number] {
  return [owned.reduce((sum, { length }) => sum + length, 0), owned.reduce((sum, { stateLength }) => sum + stateLength, 0)];
}

/** Values, then state, of the shard's blocks in ascending order. */
function denseParts({ owned, parameters, denseState }: ShardRuntime): Uint8Array[] {
  return [
    ...owned.map(({ offset, length }) => bytesOf(parameters.subarray(offset, offset + length))),
    ...owned.map(({ stateOffset, stateLength }) => bytesOf(denseState.subarray(stateOffset, stateOffset + stateLength))),
  ];
}
