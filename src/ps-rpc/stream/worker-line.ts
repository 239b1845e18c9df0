import { MonolithError } from '../../base/index.js';
import { copyBytes } from './copy-bytes.js';
import type { MessageDuplex } from './duplex.js';
import { FrameKind, type FrameReader, FrameWriter } from './frame.js';
import type { ShardRuntime } from './shard-runtime.js';

/** Where a region of a worker stands, as the shard sees it. */
export const RegionState = {
  /** Nothing is out: its last use is over. */
  free: 0,
  /** Looked up; rows are not sent yet, since steps before are not applied. */
  waiting: 1,
  /** Rows are sent; of a training lookup, gradients are to come. */
  sent: 2,
} as const;

type Region = { state: number; sequence: number; training: boolean; step: number };

/** A request that has arrived whole. */
export type CompleteRequest = { readonly kind: number; readonly sequence: number; readonly region: number; readonly step: number };

/**
 * What a shard keeps of one worker: which requests it has, what it owes, and the stream it talks over. Outlives streams; requests are taken
 * strictly in sequence, each once.
 */
export class WorkerLine {
  duplex: MessageDuplex | null = null;
  writer: FrameWriter | null = null;
  /** Last request that is here whole. */
  held = 0;
  /** Last apply that is done. */
  applied = 0;
  /** No request has come since this process began: what the mirrors held before is gone. */
  fresh = true;
  /** Sync mode: the apply that waits for those of other workers. */
  pending: CompleteRequest | null = null;
  readonly regions: readonly Region[];
  /** Of the request that is arriving: its first frame, rows and blocks so far. */
  private arriving = 0;
  private kind = 0;
  private region = 0;
  private step = 0;
  private readonly rowsHere: Int32Array;
  private blocksHere = 0;

  constructor(
    readonly worker: number,
    private readonly runtime: ShardRuntime,
  ) {
    this.regions = Array.from({ length: runtime.spec.regionsPerWorker }, () => ({
      state: RegionState.free as number,
      sequence: 0,
      training: false,
      step: 0,
    }));
    this.rowsHere = new Int32Array(runtime.tables.length);
  }

  /** Takes a stream over; an older one of the same worker ends. A request that was arriving comes again from its start. */
  attach(duplex: MessageDuplex): void {
    this.detach();
    this.duplex = duplex;
    this.writer = new FrameWriter((message, done, framed) => duplex.send(message, done, framed));
    this.arriving = 0;
  }

  detach(): void {
    this.duplex?.close();
    this.duplex = null;
    this.writer = null;
  }

  /**
   * Takes a frame of a request into the mirror.
   * @returns the request when it is whole, null before; null too for one that is already here.
   * @throws RecordCorrupt for what no worker of this job would send.
   */
  take(frame: FrameReader): CompleteRequest | null {
    if (frame.sequence <= this.held) return null;
    if (frame.sequence !== this.held + 1) {
      throw this.corrupt(`request ${frame.sequence}, expected ${this.held + 1}`);
    }
    if (this.arriving !== frame.sequence) this.start(frame);
    if (frame.kind !== this.kind || frame.region !== this.region || frame.step !== this.step) {
      throw this.corrupt(`request ${frame.sequence}: its frames differ in kind, region or step`);
    }
    if (frame.kind === FrameKind.apply) this.takeGradients(frame);
    else if (frame.kind !== FrameKind.skip) this.takeFids(frame);
    if (!frame.last) return null;
    this.checkWhole();
    this.held = frame.sequence;
    this.arriving = 0;
    this.fresh = false;
    return { kind: this.kind, sequence: this.held, region: this.region, step: this.step };
  }

  private start(frame: FrameReader): void {
    const { kind, sequence, region, step } = frame;
    if (region >= this.regions.length) throw this.corrupt(`region ${region} of ${this.regions.length}`);
    this.arriving = sequence;
    this.kind = kind;
    this.region = region;
    this.step = step;
    this.rowsHere.fill(0);
    this.blocksHere = 0;
    const place = this.regions[region];
    switch (kind) {
      case FrameKind.lookup:
      case FrameKind.lookupReadOnly:
        if (place.state === RegionState.waiting || (place.state === RegionState.sent && place.training)) {
          throw this.corrupt(`lookup ${sequence} in region ${region}, whose gradients of step ${place.step} are not applied yet`);
        }
        for (let t = 0; t < this.rowsHere.length; t++) this.runtime.setCount(this.worker, region, t, 0);
        break;
      case FrameKind.apply:
        if (place.state !== RegionState.sent || !place.training || place.step !== step) {
          throw this.corrupt(`gradients of step ${step} in region ${region}, which has no rows of that step`);
        }
        break;
      case FrameKind.skip:
        break;
      default:
        throw this.corrupt(`kind ${kind} is no request`);
    }
  }

  private takeFids({ tables, bytes }: FrameReader): void {
    const mirror = this.runtime.mirrors[this.worker][this.region];
    for (let p = 0; p < tables.count; p++) {
      const t = tables.index[p];
      const length = tables.length[p];
      const count = length / 8;
      if (t >= mirror.tables.length) throw this.corrupt(`table ${t} of ${mirror.tables.length}`);
      const { unique } = mirror.tables[t];
      if (tables.total[p] > unique.length / 8) throw this.corrupt(`${tables.total[p]} ids of table ${t}, at most ${unique.length / 8}`);
      if (this.rowsHere[t] === 0) this.runtime.setCount(this.worker, this.region, t, tables.total[p]);
      const total = this.runtime.count(this.worker, this.region, t);
      if (
        !Number.isInteger(count) ||
        tables.total[p] !== total ||
        tables.start[p] !== this.rowsHere[t] ||
        this.rowsHere[t] + count > total
      ) {
        throw this.corrupt(
          `ids of table ${t}: ${length} bytes for ids ${tables.start[p]}… of ${tables.total[p]}, have ${this.rowsHere[t]}`,
        );
      }
      copyBytes(bytes, tables.offset[p], unique, this.rowsHere[t] * 8, length);
      this.rowsHere[t] += count;
    }
  }

  private takeGradients({ tables, blocks, bytes }: FrameReader): void {
    const mirror = this.runtime.mirrors[this.worker][this.region];
    for (let p = 0; p < tables.count; p++) {
      const t = tables.index[p];
      if (t >= mirror.tables.length) throw this.corrupt(`table ${t} of ${mirror.tables.length}`);
      const { dRows, rowBytes } = mirror.tables[t];
      const total = this.runtime.count(this.worker, this.region, t);
      const count = tables.length[p] / rowBytes;
      if (!Number.isInteger(count) || tables.start[p] !== this.rowsHere[t] || this.rowsHere[t] + count > total) {
        throw this.corrupt(`gradients of table ${t}: ${tables.length[p]} bytes for rows ${tables.start[p]}… of ${total}`);
      }
      copyBytes(bytes, tables.offset[p], dRows, this.rowsHere[t] * rowBytes, tables.length[p]);
      this.rowsHere[t] += count;
    }
    for (let p = 0; p < blocks.count; p++) {
      const expected = this.runtime.owned[this.blocksHere];
      if (expected === undefined || blocks.index[p] !== expected.index || blocks.length[p] !== expected.length * 4) {
        throw this.corrupt(`gradient of dense block ${blocks.index[p]} with ${blocks.length[p]} bytes, expected block ${expected?.index}`);
      }
      copyBytes(bytes, blocks.offset[p], mirror.gradients, expected.offset * 4, blocks.length[p]);
      this.blocksHere++;
    }
  }

  private checkWhole(): void {
    if (this.kind === FrameKind.skip) return;
    for (let t = 0; t < this.rowsHere.length; t++) {
      const total = this.runtime.count(this.worker, this.region, t);
      if (this.rowsHere[t] !== total)
        throw this.corrupt(`request ${this.arriving} ends with ${this.rowsHere[t]} of ${total} rows of table ${t}`);
    }
    if (this.kind === FrameKind.apply && this.blocksHere !== this.runtime.owned.length) {
      throw this.corrupt(`request ${this.arriving} ends with ${this.blocksHere} of ${this.runtime.owned.length} dense blocks`);
    }
  }

  /** Sends the rows of a region. */
  sendRows(region: number): void {
    const { writer } = this;
    if (writer === null) return;
    const { tables } = this.runtime.mirrors[this.worker][region];
    const place = this.regions[region];
    let ahead = 0;
    for (let t = 0; t < tables.length; t++) ahead += this.runtime.count(this.worker, region, t) * tables[t].rowBytes;
    writer.begin(FrameKind.rows, place.sequence, region, place.step, ahead);
    for (let t = 0; t < tables.length; t++) {
      const count = this.runtime.count(this.worker, region, t);
      if (count > 0) writer.table(t, count, tables[t].rows, 0, count, tables[t].rowBytes);
    }
    writer.end();
  }

  /** Sends the present values of the shard's dense blocks, as answer to an apply or (sequence 0) by themselves. */
  sendValues(kind: number, sequence: number, region: number, step: number): void {
    const { writer } = this;
    if (writer === null) return;
    const { owned, parameters } = this.runtime;
    const bytes = new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength);
    let ahead = 0;
    for (const block of owned) ahead += block.length * 4;
    writer.begin(kind, sequence, region, step, ahead);
    for (const block of owned) writer.block(block.index, bytes, block.offset * 4, block.length * 4);
    writer.end();
  }

  private corrupt(what: string): MonolithError {
    return new MonolithError('RecordCorrupt', `stream of worker ${this.worker} to shard ${this.runtime.shard}: ${what}`, {
      worker: this.worker,
    });
  }
}
