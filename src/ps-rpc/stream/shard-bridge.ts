import { MonolithError, monotonicMs } from '../../base/index.js';
import { IDLE_TIMEOUT_MS, SHARD_REQUEST_WORDS, type ShardLine, ShardOp } from '../../ps/index.js';
import { bytesOf, copyBytes } from './copy-bytes.js';
import type { MessageDuplex } from './duplex.js';
import { FrameKind, type FrameReader, FrameWriter } from './frame.js';
import { type LiveRequest, LiveRequests } from './live-requests.js';
import { decodeFailure, decodeWelcome, encodeHello, PROTOCOL_VERSION, type Welcome } from './messages.js';
import type { NormMeeting } from './norm-meeting.js';
import { OrderedReceiver } from './ordered-receiver.js';
import { Patience, type ShardConnect } from './patience.js';
import { ownedBlocks, regionBytes } from './region-bytes.js';

export type ShardBridgeOptions = {
  readonly job: string;
  readonly numShards: number;
  /** How long the shard may be away before the run ends with an error that names it. */
  readonly peerTimeoutMs: number;
  /** Shared by the bridges of worker 0, one a shard; needed where clipping by global norm spans several shards. */
  readonly norms?: NormMeeting;
  /** Told of each stream that broke and of each return; for logs. */
  readonly onEvent?: (event: { readonly kind: 'lost' | 'back'; readonly peer: string; readonly reason: string }) => void;
};

/** Waits between attempts to connect. */
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 1000;
/** Pings in a peer timeout, and pings without any answer after which a stream is given up. */
const PINGS = 6;
const LONGEST_PING_MS = 2500;
const UNANSWERED_PINGS = 3;
/** Streams in a row that the shard refused, without one answer between, after which the fault is not in the stream. */
const MOST_REFUSALS = 5;

/**
 * Plays one shard towards a worker's thread in the worker's process: takes requests out of the shard's ring, sends them over a stream, writes
 * rows and dense values that come back where the thread expects them and counts. Never blocks its thread. When the stream breaks it connects
 * again and sends what is unanswered once more, out of the exchange regions.
 */
export class ShardBridge {
  /** The shard's dense values are here: the worker may begin. Rejects with what `failed` rejects with. */
  readonly ready: Promise<void>;
  /** Rejects with the error that ended this bridge; never fulfilled. */
  readonly failed: Promise<never>;
  private readonly requests = new LiveRequests();
  private readonly regions;
  private readonly owned;
  private readonly parameters: Uint8Array;
  private duplex: MessageDuplex | null = null;
  private writer: FrameWriter | null = null;
  /** Requests are sent as they come; before, they only become live. */
  private welcomed = false;
  private welcome: Welcome | null = null;
  private peer: string;
  private closed = false;
  private failure: MonolithError | null = null;
  private lastProgress = monotonicMs();
  private refusals = 0;
  private rowsHere = 0;
  private blocksHere = 0;
  private endStream: ((reason: MonolithError | null) => void) | null = null;
  private readonly patience = new Patience();
  private becomeReady: () => void = () => {};
  private reject: (error: MonolithError) => void = () => {};

  constructor(
    private readonly line: ShardLine,
    private readonly connect: ShardConnect,
    private readonly options: ShardBridgeOptions,
  ) {
    this.regions = line.regions.map(regionBytes);
    this.owned = ownedBlocks(line.blocks, line.shard, options.numShards);
    this.parameters = bytesOf(line.parameters);
    this.peer = `shard ${line.shard}`;
    this.failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    this.failed.catch(() => {});
    this.ready = Promise.race([
      new Promise<void>((resolve) => {
        this.becomeReady = resolve;
      }),
      this.failed,
    ]);
    this.ready.catch(() => {});
    options.norms?.join(line.shard, (step, norms) => this.sendNorms(step, norms));
    void this.takeRequests();
    void this.keepConnected();
  }

  /** Ends the stream and everything else here. Twice is fine. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      // Wakes the loop that waits for requests; a ring that takes nothing has it awake already.
      this.line.requests.tryPush(Int32Array.of(ShardOp.stop, this.line.worker, 0, 0));
    } catch {
      // Closed or poisoned: the loop has ended.
    }
    this.patience.interrupt();
    this.endStream?.(null);
  }

  private fail(error: MonolithError): void {
    if (this.closed || this.failure !== null) return;
    this.failure = error;
    this.reject(error);
    this.close();
  }

  private async takeRequests(): Promise<void> {
    const request = new Int32Array(SHARD_REQUEST_WORDS);
    try {
      while (!this.closed && (await this.line.requests.popAsync(request, IDLE_TIMEOUT_MS))) {
        const [op, , region, step] = request;
        if (op !== ShardOp.lookup && op !== ShardOp.lookupReadOnly && op !== ShardOp.apply) return;
        const live = this.requests.add(op, region, step);
        if (this.welcomed) this.send(live);
      }
    } catch (error) {
      const reason = MonolithError.from(error);
      // The run is ending; whoever ended it has the reason.
      if (reason.code !== 'Aborted' && reason.code !== 'RingPoisoned') this.fail(reason);
    }
  }

  private async keepConnected(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    let reason: MonolithError | null = null;
    while (!this.closed) {
      const left = this.lastProgress + this.options.peerTimeoutMs - monotonicMs();
      if (left <= 0) return this.fail(this.unavailable(reason));
      try {
        const duplex = await this.patience.connect(this.connect, left, this.peer);
        this.peer = `shard ${this.line.shard} at ${duplex.peer}`;
        const before = this.lastProgress;
        reason = (await this.talk(duplex)) ?? reason;
        if (this.lastProgress > before) retryMs = FIRST_RETRY_MS;
      } catch (error) {
        reason = MonolithError.from(error);
        if (reason.code === 'InvalidConfig' || reason.code === 'Unauthenticated' || reason.code === 'PermissionDenied')
          return this.fail(reason);
      }
      if (this.closed) return;
      this.options.onEvent?.({ kind: 'lost', peer: this.peer, reason: reason?.message ?? 'the stream ended' });
      await this.patience.pause(Math.min(retryMs, Math.max(0, this.lastProgress + this.options.peerTimeoutMs - monotonicMs())));
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    }
  }

  private unavailable(reason: MonolithError | null): MonolithError {
    const { peerTimeoutMs } = this.options;
    return new MonolithError(
      'Unavailable',
      `${this.peer} has not been there for ${peerTimeoutMs} ms (worker ${this.line.worker})${reason === null ? '' : `; last: ${reason.message}`}. Look at that process and the network to it, then resume from the last checkpoint`,
      { peer: this.peer, shard: this.line.shard, worker: this.line.worker, peerTimeoutMs },
      { cause: reason },
    );
  }

  /** Speaks over one stream until it ends; tells why it ended. */
  private async talk(duplex: MessageDuplex): Promise<MonolithError | null> {
    const { line, options, requests } = this;
    if (this.closed) {
      duplex.close();
      return null;
    }
    this.duplex = duplex;
    this.welcomed = false;
    this.welcome = null;
    this.rowsHere = 0;
    this.blocksHere = 0;
    const writer = new FrameWriter((message, done, framed) => duplex.send(message, done, framed));
    this.writer = writer;
    let lastHere = monotonicMs();
    const ended = new Promise<MonolithError | null>((resolve) => {
      this.endStream = resolve;
    });
    const receiver = new OrderedReceiver((frame) => {
      lastHere = monotonicMs();
      this.take(frame);
    });
    duplex.onMessage = (message) => {
      if (this.duplex !== duplex) return;
      try {
        receiver.receive(message);
      } catch (error) {
        this.endStream?.(MonolithError.from(error));
      }
    };
    duplex.onEnd = (reason) => this.endStream?.(reason);
    const pingMs = Math.min(LONGEST_PING_MS, options.peerTimeoutMs / PINGS);
    const timer = setInterval(() => {
      if (monotonicMs() - lastHere > UNANSWERED_PINGS * pingMs) {
        this.endStream?.(new MonolithError('Unavailable', `${this.peer} has been silent for ${Math.round(UNANSWERED_PINGS * pingMs)} ms`));
        return;
      }
      if (!this.welcomed) return;
      writer.begin(FrameKind.ping, 0, 0, 0, 0);
      writer.end();
    }, pingMs);
    writer.begin(FrameKind.hello, 0, 0, 0, 256);
    writer.field(
      'hello',
      encodeHello({
        protocol: PROTOCOL_VERSION,
        job: options.job,
        worker: line.worker,
        shard: line.shard,
        firstSequence: requests.first,
        appliedSequence: requests.applied,
        answeredSequence: requests.answered,
      }),
    );
    writer.end();
    try {
      return await ended;
    } finally {
      clearInterval(timer);
      this.endStream = null;
      this.duplex = null;
      this.writer = null;
      this.welcomed = false;
      duplex.close();
    }
  }

  private take(frame: FrameReader): void {
    if (frame.kind !== FrameKind.failure) this.lastProgress = monotonicMs();
    switch (frame.kind) {
      case FrameKind.welcome:
        if (frame.welcome === null) throw this.corrupt('a welcome without content');
        this.welcome = decodeWelcome(frame.welcome);
        break;
      case FrameKind.values:
        this.takeValues(frame);
        if (!frame.last) break;
        this.blocksHere = 0;
        if (!this.welcomed) this.goOn();
        break;
      case FrameKind.rows:
        this.takeRows(frame);
        break;
      case FrameKind.applied:
        this.takeValues(frame);
        if (frame.last) this.acknowledge(frame.sequence);
        break;
      case FrameKind.ownNorms:
        this.takeNorms(frame);
        break;
      case FrameKind.pong:
        break;
      case FrameKind.failure:
        this.takeFailure(frame);
        break;
      default:
        throw this.corrupt(`kind ${frame.kind}`);
    }
  }

  /** The stream stands: counts what the shard did meanwhile, sends what it does not have. */
  private goOn(): void {
    const { welcome, requests } = this;
    if (welcome === null) throw this.corrupt('values before a welcome');
    for (let push = requests.unacknowledged; push !== null && push.sequence <= welcome.appliedSequence; push = requests.unacknowledged) {
      requests.acknowledge(push);
      this.line.applies.add(1);
    }
    this.welcomed = true;
    for (let sequence = welcome.heldSequence + 1; sequence < requests.next; sequence++) {
      const request = requests.find(sequence);
      if (request !== null) this.send(request);
      else this.skip(sequence);
    }
    this.options.onEvent?.({ kind: 'back', peer: this.peer, reason: '' });
    this.becomeReady();
  }

  private skip(sequence: number): void {
    this.writer?.begin(FrameKind.skip, sequence, 0, 0, 0);
    this.writer?.end();
  }

  private send({ op, sequence, region, step }: LiveRequest): void {
    const { writer, owned } = this;
    const { shard } = this.line;
    if (writer === null) return;
    const { tables, gradients } = this.regions[region];
    const push = op === ShardOp.apply;
    let ahead = 0;
    for (const { shardOffsets, rowBytes } of tables) ahead += (shardOffsets[shard + 1] - shardOffsets[shard]) * (push ? rowBytes : 8);
    if (push) for (const block of owned) ahead += block.length * 4;
    const kind = push ? FrameKind.apply : op === ShardOp.lookup ? FrameKind.lookup : FrameKind.lookupReadOnly;
    writer.begin(kind, sequence, region, step, ahead);
    for (let t = 0; t < tables.length; t++) {
      const { shardOffsets, rowBytes, unique, dRows } = tables[t];
      const start = shardOffsets[shard];
      const count = shardOffsets[shard + 1] - start;
      if (count === 0) continue;
      if (push) writer.table(t, count, dRows, start * rowBytes, count, rowBytes);
      else writer.table(t, count, unique, start * 8, count, 8);
    }
    if (push) for (const block of owned) writer.block(block.index, gradients, block.offset * 4, block.length * 4);
    writer.end();
  }

  private takeRows(frame: FrameReader): void {
    const lookup = this.requests.awaited;
    // Rows that are here already come again where the shard could not know; the worker is at work on them.
    if (lookup === null || frame.sequence < lookup.sequence) return;
    if (frame.sequence !== lookup.sequence) throw this.corrupt(`rows of request ${frame.sequence}, expected those of ${lookup.sequence}`);
    const { shard } = this.line;
    const { tables } = this.regions[lookup.region];
    const { tables: pieces, bytes } = frame;
    for (let p = 0; p < pieces.count; p++) {
      const t = pieces.index[p];
      if (t >= tables.length) throw this.corrupt(`rows of table ${t} of ${tables.length}`);
      const { shardOffsets, rows, rowBytes } = tables[t];
      const start = shardOffsets[shard];
      const count = pieces.length[p] / rowBytes;
      if (!Number.isInteger(count) || pieces.start[p] + count > shardOffsets[shard + 1] - start) {
        throw this.corrupt(
          `${pieces.length[p]} bytes of rows ${pieces.start[p]}… of table ${t}, asked for ${shardOffsets[shard + 1] - start}`,
        );
      }
      copyBytes(bytes, pieces.offset[p], rows, (start + pieces.start[p]) * rowBytes, pieces.length[p]);
      this.rowsHere += count;
    }
    if (!frame.last) return;
    let wanted = 0;
    for (const { shardOffsets } of tables) wanted += shardOffsets[shard + 1] - shardOffsets[shard];
    if (this.rowsHere !== wanted) throw this.corrupt(`${this.rowsHere} rows for request ${frame.sequence}, asked for ${wanted}`);
    this.rowsHere = 0;
    this.refusals = 0;
    this.requests.answer(lookup);
    this.line.lookups.add(1);
  }

  private takeValues({ blocks, bytes, last }: FrameReader): void {
    for (let p = 0; p < blocks.count; p++) {
      const block = this.owned[this.blocksHere];
      if (block === undefined || blocks.index[p] !== block.index || blocks.length[p] !== block.length * 4) {
        throw this.corrupt(`values of dense block ${blocks.index[p]}, expected block ${block?.index}`);
      }
      copyBytes(bytes, blocks.offset[p], this.parameters, block.offset * 4, blocks.length[p]);
      this.blocksHere++;
    }
    if (last && this.blocksHere !== this.owned.length) throw this.corrupt(`${this.blocksHere} dense blocks, expected ${this.owned.length}`);
  }

  private takeNorms({ norms, step }: FrameReader): void {
    const { options, owned, line } = this;
    if (options.norms === undefined) throw this.corrupt('norms of blocks, which go to worker 0 of a job that clips by global norm');
    if (norms === null || norms.length !== owned.length * 8)
      throw this.corrupt(`${norms?.length} bytes of norms of ${owned.length} blocks`);
    options.norms.give(line.shard, step, new Float64Array(Uint8Array.from(norms).buffer));
  }

  /** Without a stream nothing is lost: the shard says its norms again on the next one. */
  private sendNorms(step: number, norms: Float64Array): void {
    this.writer?.begin(FrameKind.norms, 0, 0, step, norms.byteLength);
    this.writer?.field('norms', bytesOf(norms));
    this.writer?.end();
  }

  private acknowledge(sequence: number): void {
    this.blocksHere = 0;
    const push = this.requests.unacknowledged;
    if (push === null || push.sequence !== sequence) throw this.corrupt(`acknowledges request ${sequence}, expected ${push?.sequence}`);
    this.refusals = 0;
    this.requests.acknowledge(push);
    this.line.applies.add(1);
  }

  private takeFailure(frame: FrameReader): void {
    if (frame.failure === null) throw this.corrupt('a failure without content');
    const { error, retry } = decodeFailure(frame.failure);
    const named = new MonolithError(error.code, `${this.peer}: ${error.message}`, error.details, { cause: error });
    if (!retry) {
      this.fail(named);
      return;
    }
    if (error.code !== 'FailedPrecondition' && ++this.refusals >= MOST_REFUSALS) this.fail(named);
    else this.endStream?.(named);
  }

  private corrupt(what: string): MonolithError {
    return new MonolithError('RecordCorrupt', `${this.peer}, worker ${this.line.worker}: ${what}`, { peer: this.peer });
  }
}
