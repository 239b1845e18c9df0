import { pageAlignedBuffer } from '../base/index.js';
import type { BaseReference, CheckpointWriter, ManifestFields } from '../checkpoint/index.js';
import type { FrozenRows, KernelBackend } from '../kernels/index.js';
import type { RunSpec, TableSpec } from './run-spec.js';
import { bytesOf, nameOfValue, PARAMETERS, parameterAt, requireFinite, rowShape, type SavedTable, STATE } from './snapshot-parts.js';
import type { FrozenState } from './state.js';
import { bucketBitsOf, type RowShape, sectionBuffer, tableSectionName } from './table-section.js';

/** A checkpoint to be written from a frozen state: plain data, for a thread of its own. */
export type SnapshotJob = {
  readonly modelDir: string;
  readonly step: number;
  /** Checkpoints to keep, ≥ 1, and one more to keep besides. */
  readonly keep: number;
  readonly keepStep: number | null;
  readonly fields: ManifestFields;
  /** What a delta stands on; null: the checkpoint is whole. */
  readonly base: BaseReference | null;
  readonly state: FrozenState;
};

/** What became of a save. */
export type SavedSnapshot = {
  readonly step: number;
  /** Path of the manifest. */
  readonly path: string;
  /** What deltas name this checkpoint by; null: it is a delta itself. */
  readonly reference: BaseReference | null;
  /** Data bytes of all sections. */
  readonly bytes: number;
  /** Milliseconds until it was durable, older ones not yet pruned. */
  readonly writeMs: number;
  /** Rows that training changed before they were read, and the bytes held for them at the end. */
  readonly copies: number;
  readonly copyBytes: number;
};

/** Writes jobs one at a time, wherever it does. */
export interface SnapshotWriter {
  /** @throws DiskFull, WriteFailed, NonFiniteParameters, …; then nothing of this checkpoint is left. */
  write(job: SnapshotJob): Promise<SavedSnapshot>;
  /** Ends it; a job under way is given up. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Memory for two sections that take turns, one being filled while the other is written. Whoever writes several checkpoints keeps it: pages that the system
 * has yet to hand out are felt by those who train.
 */
export class SectionMemory {
  private filling = new ArrayBuffer(0);
  private leaving = new ArrayBuffer(0);

  /** At least so many bytes, of the one that is being filled. */
  atLeast(bytes: number): ArrayBuffer {
    // Buckets are of about one size: a little more than this one takes serves the next as well.
    if (this.filling.byteLength < bytes) this.filling = pageAlignedBuffer(Math.ceil(bytes * 1.02));
    return this.filling;
  }

  turn(): void {
    [this.filling, this.leaving] = [this.leaving, this.filling];
  }
}

/**
 * Writes a frozen state as a checkpoint and prunes older ones: the bytes are those that saveSnapshot writes of the same state. Tables may change
 * meanwhile, in other threads. Rows are read a bucket at a time, on this thread; files are written and flushed behind it.
 *
 * @param frozen [table] what `state.tables` names, opened; they are told the end as soon as the last row is read, and are the caller's to release.
 * @throws DiskFull, WriteFailed, NonFiniteParameters: then nothing of it is left.
 */
export async function writeFrozen(
  backend: Pick<KernelBackend, 'crc32c'>,
  spec: RunSpec,
  job: SnapshotJob,
  frozen: readonly FrozenRows[],
  memory = new SectionMemory(),
): Promise<SavedSnapshot> {
  // Of the threads of a run, workers and shards load this file too, and write nothing.
  const { CheckpointWriter, prune, referenceTo } = await import('../checkpoint/index.js');
  const started = performance.now();
  const { step, state, base } = job;
  const writer = await CheckpointWriter.begin(job.modelDir, step, { crc32c: (bytes) => backend.crc32c(bytes) });
  const sections = new Sections(writer, memory);
  try {
    requireFinite(step, state.parameters, (at) => parameterAt(spec, at));
    requireFinite(step, state.denseState, (at) => `value ${at} of the optimizer state of the dense parameters`);
    await writer.writeSection(PARAMETERS, bytesOf(state.parameters));
    await writer.writeSection(STATE, bytesOf(state.denseState));
    const tables: SavedTable[] = [];
    for (const [t, table] of spec.tables.entries()) tables.push(await writeTable(sections, table, frozen[t], step, base !== null));
    for (const rows of frozen) rows.end();
    await sections.settle();
    const path = await writer.commit({ ...job.fields, tables: tables as unknown as ManifestFields['tables'] }, base);
    const writeMs = performance.now() - started;
    await prune(job.modelDir, job.keep, job.keepStep);
    const figures = frozen.map((rows) => rows.figures());
    return {
      step,
      path,
      reference: base === null ? await referenceTo(job.modelDir, step) : null,
      bytes: sections.bytes + bytesOf(state.parameters).length + bytesOf(state.denseState).length,
      writeMs,
      copies: figures.reduce((sum, { copies }) => sum + copies, 0),
      copyBytes: figures.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } catch (error) {
    for (const rows of frozen) rows.end();
    await sections.settle().catch(() => {});
    await writer.abort();
    throw error;
  }
}

async function writeTable(sections: Sections, table: TableSpec, rows: FrozenRows, step: number, delta: boolean): Promise<SavedTable> {
  const shape = rowShape(table);
  const bits = bucketBitsOf(rows.count);
  const names: string[] = [];
  for (let bucket = 0; bucket < 2 ** bits; bucket++) {
    const name = tableSectionName(table.name, bits, bucket);
    await sections.write(name, rows.collect(bits, bucket), shape, (fids, timestamps, records) => {
      const at = rows.read(fids, timestamps, records);
      if (at >= 0) {
        const width = shape.dim + shape.stateLength;
        const place = nameOfValue(table, shape, fids[Math.floor(at / width)], at % width);
        requireFinite(step, records.subarray(at, at + 1), () => place);
      }
    });
    names.push(name);
  }
  const changed = delta ? { changed: rows.count } : {};
  return { name: table.name, ...shape, rows: rows.size, ...changed, storage: table.storage, sections: names };
}

/**
 * Sections, one after another: while one is being written and flushed, which is the device's work, the next one is read. One of the pool's threads at a time
 * waits for the device: others have files to read.
 */
class Sections {
  bytes = 0;
  /** The section before; never rejects. */
  private inHand: Promise<void> = Promise.resolve();
  private failure: unknown = null;

  constructor(
    private readonly writer: CheckpointWriter,
    private readonly memory: SectionMemory,
  ) {}

  /** @param fill writes the rows. Returns while the section is being written. @throws what a section before it failed with */
  async write(
    name: string,
    count: number,
    shape: RowShape,
    fill: (fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array) => void,
  ): Promise<void> {
    const { bytes, fids, timestamps, records } = sectionBuffer(count, shape, (length) => this.memory.atLeast(length));
    fill(fids, timestamps, records);
    await this.settle();
    this.memory.turn();
    this.bytes += bytes.length;
    this.inHand = this.finish(name, bytes).catch((error: unknown) => {
      this.failure ??= error;
    });
  }

  /** Waits for what is being written. @throws what it failed with */
  async settle(): Promise<void> {
    await this.inHand;
    if (this.failure !== null) throw this.failure;
  }

  private async finish(name: string, bytes: Uint8Array): Promise<void> {
    const section = await this.writer.section(name);
    await section.appendWhole(bytes);
    await section.close();
  }
}
