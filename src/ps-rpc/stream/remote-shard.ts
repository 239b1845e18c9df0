import { type ErrorCode, MonolithError, monotonicMs } from '../../base/index.js';
import { type DenseBlock, planDenseBlocks, type ShardSpec } from '../../ps/index.js';
import { type ControlMessage, callControl, RemoteFailure } from './control-call.js';
import { bytesOf } from './copy-bytes.js';
import { CutShort, Patience, type ShardConnect } from './patience.js';
import { ownedBlocks } from './region-bytes.js';
import { makeRows, rowsByteLength, type ShardRows, type ShardSizes } from './shard-runtime.js';

export type RemoteShardOptions = {
  /** Name of this run of the job; anew for each start of the chief. */
  readonly job: string;
  readonly shard: number;
  readonly spec: ShardSpec;
  /** How long the shard may be away. */
  readonly peerTimeoutMs: number;
};

/** What may be better soon: the network, the discovery that knows where the shard is, a stream that could not hold more. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['Unavailable', 'Discovery', 'ResourceExhausted']);

const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 1000;

/**
 * What the chief does with one shard besides training: each call may be repeated without harm, and is, until the shard has answered or has
 * been away for the peer timeout (Unavailable, naming it). All but `configure` and `finish` are for a run that is synced.
 */
export class RemoteShard {
  private readonly owned: readonly DenseBlock[];
  private readonly patience = new Patience();
  private peer: string;
  private closed = false;

  /** @param connect opens one stream for each call. */
  constructor(
    private readonly connect: ShardConnect,
    private readonly options: RemoteShardOptions,
  ) {
    const { spec, shard } = options;
    this.owned = ownedBlocks(planDenseBlocks(spec.tensors).blocks, shard, spec.layout.numShards);
    this.peer = `shard ${shard}`;
  }

  /** Gives the job to the shard, in place of any other. A shard that has it already keeps what it has. @throws InvalidConfig */
  async configure(): Promise<void> {
    await this.call({ kind: 'configure', spec: JSON.stringify(this.options.spec) });
  }

  async sizes(): Promise<ShardSizes> {
    const { json } = await this.call({ kind: 'sizes' });
    return JSON.parse(json) as ShardSizes;
  }

  /** One bucket of one table, ascending by unsigned fid. */
  async dump(table: number, bucketBits: number, bucket: number): Promise<ShardRows> {
    const { json, data } = await this.call({ kind: 'dump', table, bucketBits, bucket });
    const { count, width } = JSON.parse(json) as { count: number; width: number };
    if (rowsByteLength(count, width) !== data.length) {
      throw new MonolithError('RecordCorrupt', `${this.peer}: dump of ${count} rows of ${width} in ${data.length} bytes`);
    }
    return makeRows(count, width, data.buffer as ArrayBuffer);
  }

  /** Prepares for about `rows` rows of a table in this shard. */
  async expectRows(table: number, rows: number): Promise<void> {
    await this.call({ kind: 'expectRows', table, rows });
  }

  /** Gives the shard those of the rows that it owns. */
  async load(table: number, rows: ShardRows): Promise<void> {
    const own = rowsOfShard(rows, this.options.shard, this.options.spec.layout.numShards);
    if (own.count === 0) return;
    const width = own.records.length / own.count;
    await this.call({ kind: 'load', table, count: own.count, width }, [bytesOf(own.fids), bytesOf(own.timestamps), bytesOf(own.records)]);
  }

  /** Drops every row of every table. */
  async clear(): Promise<void> {
    await this.call({ kind: 'clear' });
  }

  /** Writes the shard's blocks into flat dense parameters and optimizer state of full length. */
  async readDense(parameters: Float32Array, denseState: Float32Array): Promise<void> {
    const { data } = await this.call({ kind: 'readDense' });
    const values = new Float32Array(data.buffer, data.byteOffset, data.length >>> 2);
    let at = 0;
    const next = (length: number): Float32Array => {
      at += length;
      return values.subarray(at - length, at);
    };
    for (const { offset, length } of this.owned) parameters.set(next(length), offset);
    for (const { stateOffset, stateLength } of this.owned) denseState.set(next(stateLength), stateOffset);
    if (at !== values.length) throw new MonolithError('RecordCorrupt', `${this.peer}: ${values.length} dense values, expected ${at}`);
  }

  /** Gives the shard its blocks of both; it hands the parameters on to all workers before it answers anything that comes later. */
  async writeDense(parameters: Float32Array, denseState: Float32Array): Promise<void> {
    const parts = [
      ...this.owned.map(({ offset, length }) => bytesOf(parameters.subarray(offset, offset + length))),
      ...this.owned.map(({ stateOffset, stateLength }) => bytesOf(denseState.subarray(stateOffset, stateOffset + stateLength))),
    ];
    await this.call({ kind: 'writeDense' }, parts);
  }

  /** A checkpoint of this step is committed, or a state to go on from is loaded: the shard may forget how it came here. */
  async committed(step: number): Promise<void> {
    await this.call({ kind: 'committed', step });
  }

  /** The job is done: the shard's process may end. */
  async finish(): Promise<void> {
    await this.call({ kind: 'finish' });
  }

  /** Calls under way are given up. */
  close(): void {
    this.closed = true;
    this.patience.interrupt();
  }

  private async call(request: object, parts: readonly Uint8Array[] = []): Promise<ControlMessage> {
    const { job, shard, peerTimeoutMs } = this.options;
    // Of a shard that is away: one that works is heard.
    let deadline = monotonicMs() + peerTimeoutMs;
    // Of refusals that may pass: the chief before this one may have died a moment ago.
    const refusedUntil = deadline;
    let retryMs = FIRST_RETRY_MS;
    let last: MonolithError | null = null;
    for (;;) {
      try {
        const duplex = await this.patience.connect(this.connect, Math.max(1, deadline - monotonicMs()), this.peer);
        this.peer = `shard ${shard} at ${duplex.peer}`;
        return await callControl(duplex, { ...request, job, shard }, parts, peerTimeoutMs, () => {
          deadline = monotonicMs() + peerTimeoutMs;
        });
      } catch (error) {
        const reason = MonolithError.from(error);
        if (reason instanceof RemoteFailure) {
          const isOver = !reason.retry || this.closed || monotonicMs() + retryMs >= refusedUntil;
          if (isOver) throw new MonolithError(reason.code, `${this.peer}: ${reason.message}`, reason.details);
        } else if (!PASSING.has(reason.code)) throw reason;
        if (last === null || !(reason instanceof CutShort)) last = reason;
        if (this.closed || monotonicMs() + retryMs >= deadline) {
          throw new MonolithError(
            'Unavailable',
            `${this.peer} has not answered for ${peerTimeoutMs} ms; last: ${last.message}. Look at that process and the network to it, then resume from the last checkpoint`,
            { peer: this.peer, shard, peerTimeoutMs },
            { cause: last },
          );
        }
      }
      await this.patience.pause(retryMs);
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    }
  }
}

/** The rows that shard `shard` owns: fid mod numShards. */
function rowsOfShard(rows: ShardRows, shard: number, numShards: number): ShardRows {
  if (numShards === 1) return { ...rows, records: rows.records.subarray(0), fids: rows.fids.subarray(0, rows.count) };
  const width = rows.count === 0 ? 0 : rows.records.length / rows.count;
  const shards = BigInt(numShards);
  const places: number[] = [];
  for (let i = 0; i < rows.count; i++) {
    const remainder = rows.fids[i] % shards;
    if (Number(remainder < 0n ? remainder + shards : remainder) === shard) places.push(i);
  }
  const own = makeRows(places.length, width);
  for (const [to, from] of places.entries()) {
    own.fids[to] = rows.fids[from];
    own.timestamps[to] = rows.timestamps[from];
    own.records.set(rows.records.subarray(from * width, (from + 1) * width), to * width);
  }
  return own;
}
