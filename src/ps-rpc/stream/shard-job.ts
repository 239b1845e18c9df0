import { MonolithError } from '../../base/index.js';
import { bytesOf } from './copy-bytes.js';
import type { MessageDuplex } from './duplex.js';
import { FrameKind, type FrameReader } from './frame.js';
import { encodeFailure, encodeWelcome, type Hello, PROTOCOL_VERSION } from './messages.js';
import type { ShardRows, ShardRuntime } from './shard-runtime.js';
import { type CompleteRequest, RegionState, WorkerLine } from './worker-line.js';

/** What must be on disk before an answer goes out; see shard-store. */
export interface JobJournal {
  /** Gradients of the given workers' `region`, before they are applied. `lines[w]` of other workers are not looked at. */
  apply(region: number, step: number, workers: readonly number[], sequences: readonly number[]): void;
  /** Norms of all blocks, for the apply that follows. */
  norms(norms: Float64Array): void;
  load(table: number, rows: ShardRows): void;
  dense(parameters: Float32Array, state: Float32Array): void;
  clear(): void;
}

/**
 * One job on one shard: executes workers' requests, each exactly once, and answers them. Sync: an apply runs when those of all workers are
 * here, in worker order; rows of a lookup go out when all steps before are applied. Async: each as it comes.
 */
export class ShardJob {
  readonly lines: readonly WorkerLine[];
  failure: MonolithError | null = null;
  private waitingApplies = 0;
  /** The step whose gradients are all here and that waits for the norms of other shards' blocks. */
  private unclipped: { readonly region: number; readonly step: number; readonly sequences: number[]; readonly own: Float64Array } | null =
    null;
  private readonly everyone: readonly number[];

  constructor(
    readonly id: string,
    readonly runtime: ShardRuntime,
    public journal: JobJournal | null,
  ) {
    this.everyone = Array.from({ length: runtime.spec.workers }, (_, w) => w);
    this.lines = this.everyone.map((w) => new WorkerLine(w, runtime));
  }

  /** Worker 0, whose process is the chief, is connected. */
  get isLed(): boolean {
    return this.lines[0].duplex !== null;
  }

  /**
   * A worker's stream begins, anew or again.
   * @throws InvalidConfig, FailedPrecondition: then nothing has changed.
   */
  hello(hello: Hello, duplex: MessageDuplex): WorkerLine {
    const { shard, numShards, spec } = this.runtime;
    if (hello.shard !== shard) {
      throw new MonolithError(
        'InvalidConfig',
        `worker ${hello.worker} wants shard ${hello.shard}, this is shard ${shard} of ${numShards}; check addresses and --index`,
      );
    }
    if (hello.worker >= spec.workers) {
      throw new MonolithError('InvalidConfig', `worker ${hello.worker} of a job with ${spec.workers} workers; check --index and --workers`);
    }
    const line = this.lines[hello.worker];
    if (hello.appliedSequence > line.applied || (!line.fresh && hello.firstSequence > line.held + 1)) {
      throw new MonolithError(
        'FailedPrecondition',
        `shard ${shard} has lost updates: worker ${hello.worker} was told that its request ${hello.appliedSequence} is applied, the shard knows of ${line.applied}. Its state folder is missing or was not on disk yet; resume the job from its last checkpoint`,
        { shard, worker: hello.worker, acknowledged: hello.appliedSequence, applied: line.applied },
      );
    }
    line.attach(duplex);
    if (line.fresh) line.held = hello.firstSequence - 1;
    const { writer } = line;
    writer?.begin(FrameKind.welcome, 0, 0, 0, 64);
    writer?.field('welcome', encodeWelcome({ protocol: PROTOCOL_VERSION, appliedSequence: line.applied, heldSequence: line.held }));
    writer?.end();
    line.sendValues(FrameKind.values, 0, 0, 0);
    // Rows that went out over the stream before and did not arrive.
    const again = line.regions
      .map((place, region) => ({ place, region }))
      .filter(({ place }) => place.state === RegionState.sent && place.sequence > hello.answeredSequence)
      .sort((a, b) => a.place.sequence - b.place.sequence);
    for (const { region } of again) line.sendRows(region);
    if (line.worker === 0) this.sendOwnNorms();
    this.sendDue(line);
    return line;
  }

  /** A frame of a worker's stream, in its turn. */
  frame(line: WorkerLine, frame: FrameReader): void {
    if (this.failure !== null) return;
    if (frame.kind === FrameKind.ping) {
      sendPong(line);
      return;
    }
    if (frame.kind === FrameKind.norms) {
      this.norms(line, frame);
      return;
    }
    const request = line.take(frame);
    if (request === null) return;
    switch (request.kind) {
      case FrameKind.lookup:
      case FrameKind.lookupReadOnly:
        this.lookup(line, request);
        break;
      case FrameKind.apply:
        this.apply(line, request);
        break;
      default: // skip
    }
  }

  private lookup(line: WorkerLine, { kind, sequence, region, step }: CompleteRequest): void {
    const training = kind === FrameKind.lookup;
    this.runtime.logic.lookup(line.worker, region, training, step);
    const place = line.regions[region];
    place.state = RegionState.waiting;
    place.sequence = sequence;
    place.training = training;
    place.step = step;
    this.sendDue(line);
  }

  private apply(line: WorkerLine, request: CompleteRequest): void {
    if (this.runtime.spec.mode === 'async') {
      this.journal?.apply(request.region, request.step, [line.worker], [request.sequence]);
      this.runtime.logic.applyOne(line.worker, request.region, request.step);
      this.applied(line, request);
      return;
    }
    if (line.pending !== null)
      throw new MonolithError(
        'FailedPrecondition',
        `worker ${line.worker}: gradients of step ${request.step} before those of step ${line.pending.step} were applied`,
      );
    line.pending = request;
    if (++this.waitingApplies < this.lines.length) return;
    const { region, step } = request;
    const sequences: number[] = [];
    for (const { pending, worker } of this.lines) {
      if (pending === null || pending.region !== region || pending.step !== step) {
        throw new MonolithError(
          'FailedPrecondition',
          `worker ${worker} pushes step ${pending?.step} in region ${pending?.region}, worker ${line.worker} step ${step} in region ${region}: workers of one job went different ways`,
        );
      }
      sequences.push(pending.sequence);
    }
    if (!this.runtime.logic.sumsApart) {
      this.applyStep(region, step, sequences);
      return;
    }
    this.unclipped = { region, step, sequences, own: this.runtime.ownNorms(region) };
    this.sendOwnNorms();
  }

  private sendOwnNorms(): void {
    const [{ writer }] = this.lines;
    if (this.unclipped === null) return;
    const { step, own } = this.unclipped;
    writer?.begin(FrameKind.ownNorms, 0, 0, step, own.byteLength);
    writer?.field('norms', bytesOf(own));
    writer?.end();
  }

  /** Norms of all blocks of a step: now it can be clipped and applied. They may come again. */
  private norms(line: WorkerLine, { norms, step }: FrameReader): void {
    const { unclipped, runtime } = this;
    if (unclipped === null || step !== unclipped.step) return;
    if (line.worker !== 0 || norms === null || norms.length !== runtime.blocks.length * 8) {
      throw new MonolithError(
        'RecordCorrupt',
        `shard ${runtime.shard}: ${norms?.length ?? 0} bytes of norms from worker ${line.worker}, expected ${runtime.blocks.length * 8} from worker 0`,
      );
    }
    const all = new Float64Array(Uint8Array.from(norms).buffer);
    this.unclipped = null;
    this.journal?.norms(all);
    runtime.blockNorms.set(all);
    this.applyStep(unclipped.region, step, unclipped.sequences);
  }

  private applyStep(region: number, step: number, sequences: readonly number[]): void {
    this.journal?.apply(region, step, this.everyone, sequences);
    if (this.runtime.logic.sumsApart) this.runtime.logic.sumDense(-1, region);
    this.runtime.logic.applyStep(region, step);
    this.waitingApplies = 0;
    for (const own of this.lines) {
      const { pending } = own;
      own.pending = null;
      if (pending !== null) this.applied(own, pending);
    }
  }

  private applied(line: WorkerLine, { sequence, region, step }: CompleteRequest): void {
    line.applied = sequence;
    line.regions[region].state = RegionState.free;
    line.sendValues(FrameKind.applied, sequence, region, step);
    this.sendDue(line);
  }

  /** Sends the rows of lookups whose turn has come, in sequence. */
  private sendDue(line: WorkerLine): void {
    const sync = this.runtime.spec.mode === 'sync';
    for (;;) {
      let next = -1;
      let blocked = Number.POSITIVE_INFINITY;
      for (let r = 0; r < line.regions.length; r++) {
        const { state, sequence, training } = line.regions[r];
        if (state === RegionState.waiting && (next < 0 || sequence < line.regions[next].sequence)) next = r;
        if (sync && state === RegionState.sent && training && sequence < blocked) blocked = sequence;
      }
      if (next < 0 || line.regions[next].sequence > blocked) return;
      line.regions[next].state = RegionState.sent;
      line.sendRows(next);
    }
  }

  /** Replay of the journal: the region holds ids (made into rows here) and gradients of `workers`. */
  replay(region: number, step: number, workers: readonly number[], sequences: readonly number[]): void {
    const { logic, spec } = this.runtime;
    for (const w of workers) logic.lookup(w, region, true, step);
    if (spec.mode === 'async') logic.applyOne(workers[0], region, step);
    else {
      // The norms of other shards' blocks stood in the record before.
      if (logic.sumsApart) logic.sumDense(-1, region);
      logic.applyStep(region, step);
    }
    for (const [i, w] of workers.entries()) this.lines[w].applied = sequences[i];
  }

  /** New values of dense parameters, of full length: every worker gets them before any later answer. */
  writeDense(parameters: Float32Array, state: Float32Array): void {
    this.journal?.dense(parameters, state);
    this.setDense(parameters, state);
    for (const line of this.lines) line.sendValues(FrameKind.values, 0, 0, 0);
  }

  /** [sum of owned lengths] each: owned blocks one after another. */
  setDense(parameters: Float32Array, state: Float32Array): void {
    let at = 0;
    let stateAt = 0;
    for (const block of this.runtime.owned) {
      this.runtime.parameters.set(parameters.subarray(at, at + block.length), block.offset);
      this.runtime.denseState.set(state.subarray(stateAt, stateAt + block.stateLength), block.stateOffset);
      at += block.length;
      stateAt += block.stateLength;
    }
  }

  load(table: number, rows: ShardRows): void {
    this.journal?.load(table, rows);
    this.runtime.load(table, rows);
  }

  clear(): void {
    this.journal?.clear();
    for (const table of this.runtime.tables) table.clear();
  }

  /** The job can't go on here: every worker is told, now or when it comes. */
  fail(error: MonolithError): void {
    this.failure ??= error;
    for (const line of this.lines) {
      sendFailure(line, error);
      line.detach();
    }
  }

  /** Tells every worker that the shard is there. */
  signOfLife(): void {
    for (const line of this.lines) sendPong(line);
  }

  /** Lets go of all streams. */
  close(): void {
    for (const line of this.lines) line.detach();
  }
}

function sendFailure(line: WorkerLine, error: MonolithError): void {
  line.writer?.begin(FrameKind.failure, 0, 0, 0, 256);
  line.writer?.field('failure', encodeFailure({ error, retry: false }));
  line.writer?.end();
}

function sendPong(line: WorkerLine): void {
  line.writer?.begin(FrameKind.pong, 0, 0, 0, 0);
  line.writer?.end();
}
