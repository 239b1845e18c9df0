import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DurableWriter, fsyncFolder, MonolithError, makeFolderDurable, removeQuietly, renameDurable } from '../../base/index.js';
import type { KernelBackend } from '../../kernels/index.js';
import { parseShardSpec } from '../../ps/index.js';
import {
  applyRecord,
  beginRecord,
  clearRecord,
  denseRecord,
  endRecord,
  givenDenseRecord,
  normsRecord,
  RecordKind,
  readBegin,
  replayRecord,
  rowsRecord,
} from './journal-records.js';
import { RecordWriter, readRecords, sealRecord } from './record-file.js';
import { type JobJournal, ShardJob } from './shard-job.js';
import { type ShardRows, ShardRuntime } from './shard-runtime.js';

export type ShardStoreOptions = {
  readonly shard: number;
  readonly log: (line: string) => void;
  /** Journal bytes after which `onFull` is called, once a snapshot. */
  readonly journalBytes?: number;
  readonly onFull?: () => void;
  /** Whether every change is on the disk before anybody is told of it; default: with the system, which survives the death of the process. */
  readonly flush?: boolean;
};

const JOURNAL_BYTES = 1 << 30;

/** Rows that are dumped and written at once, about 40 MB at dim 16 with Adagrad. */
const ROWS_PER_BUCKET = 262_144;

const SNAPSHOT = /^snapshot-(\d+)\.bin$/;

/**
 * A shard's state on disk: `snapshot-N.bin`, everything at one moment, and `journal-N.bin`, every change since. Changes are in the journal
 * before anybody is told of them, so a process that is killed comes back with all that was acknowledged.
 */
export class ShardStore implements JobJournal {
  private journal: RecordWriter | null = null;
  private job: ShardJob | null = null;
  private spec = '';
  private generation = 0;
  private limit: number;
  private readonly flush: boolean;

  constructor(
    private readonly folder: string,
    private readonly options: ShardStoreOptions,
  ) {
    this.limit = options.journalBytes ?? JOURNAL_BYTES;
    this.flush = options.flush ?? false;
  }

  /** The job that the folder holds, with everything that was done; null if there is none. @throws InvalidConfig, WriteFailed, DiskFull */
  restore(backend: KernelBackend): { readonly job: ShardJob; readonly spec: string } | null {
    const generations = this.generations();
    this.generation = generations[0] ?? 0;
    for (const generation of generations) {
      const path = this.path('snapshot', generation);
      const found = this.readSnapshot(path, backend);
      if (found === null) {
        this.options.log(`shard ${this.options.shard}: ${path} is not whole and is left out`);
        continue;
      }
      const { job } = found;
      const journal = this.path('journal', generation);
      let good = 0;
      if (existsSync(journal)) {
        const read = readRecords(journal, (payload) => replayRecord(job, payload));
        good = read.good;
        if (good < read.bytes)
          this.options.log(
            `shard ${this.options.shard}: the last ${read.bytes - good} bytes of ${journal} are no whole record and are dropped`,
          );
      }
      this.generation = generation;
      this.journal = RecordWriter.open(journal, good, this.flush);
      this.adopt(job, found.spec);
      return found;
    }
    return null;
  }

  /** Starts to keep a job, in place of what the folder held. */
  async begin(job: ShardJob, spec: string): Promise<void> {
    this.adopt(job, spec);
    await this.snapshot(job);
  }

  /**
   * Writes everything anew and begins a new journal. Nothing may change meanwhile.
   * @throws DiskFull, WriteFailed: then snapshot and journal from before go on.
   */
  async snapshot(job: ShardJob): Promise<void> {
    await makeFolderDurable(this.folder);
    const generation = this.generation + 1;
    const path = this.path('snapshot', generation);
    const writer = await DurableWriter.create(`${path}.tmp`);
    try {
      const head = Buffer.alloc(8);
      const append = async (pieces: readonly Uint8Array[]): Promise<void> => {
        sealRecord(head, pieces);
        await writer.append(head);
        for (const piece of pieces) await writer.append(piece);
      };
      const { runtime, lines, id } = job;
      await append(beginRecord({ job: id, shard: this.options.shard, spec: this.spec, applied: lines.map(({ applied }) => applied) }));
      await append(denseRecord(runtime));
      for (const [t, table] of runtime.tables.entries()) {
        const bits = Math.max(0, Math.ceil(Math.log2(Math.max(1, table.size()) / ROWS_PER_BUCKET)));
        for (let bucket = 0; bucket < 2 ** bits; bucket++) {
          const rows = runtime.dump(t, bits, bucket);
          if (rows.count > 0) await append(rowsRecord(t, rows));
        }
      }
      await append(endRecord());
      await writer.close();
    } catch (error) {
      await writer.discard();
      throw error;
    }
    // Closed meanwhile: nobody keeps a journal behind it.
    if (this.job !== job) return removeQuietly(`${path}.tmp`);
    await renameDurable(`${path}.tmp`, path);
    const before = this.journal;
    this.journal = RecordWriter.open(this.path('journal', generation), 0, this.flush);
    // The name of the new journal must outlive the machine too.
    if (this.flush) await fsyncFolder(this.folder);
    before?.close();
    this.generation = generation;
    this.limit = this.options.journalBytes ?? JOURNAL_BYTES;
    await this.removeBefore(generation);
  }

  apply(region: number, step: number, workers: readonly number[], sequences: readonly number[]): void {
    if (this.job === null) return;
    this.append(applyRecord(this.job.runtime, region, step, workers, sequences));
  }

  norms(norms: Float64Array): void {
    this.append(normsRecord(norms));
  }

  load(table: number, rows: ShardRows): void {
    this.append(rowsRecord(table, rows));
  }

  dense(parameters: Float32Array, state: Float32Array): void {
    this.append(givenDenseRecord(parameters, state));
  }

  clear(): void {
    this.append(clearRecord());
  }

  /** The job is over: nothing of it stays. */
  remove(): void {
    this.close();
    for (const name of readdirIfThere(this.folder)) {
      if (/^(snapshot|journal)-\d+\.bin(\.tmp)?$/.test(name)) rmSync(join(this.folder, name), { force: true });
    }
  }

  close(): void {
    this.journal?.close();
    this.journal = null;
    if (this.job !== null) this.job.journal = null;
    this.job = null;
  }

  private adopt(job: ShardJob, spec: string): void {
    this.job = job;
    this.spec = spec;
    job.journal = this;
  }

  private append(pieces: readonly Uint8Array[]): void {
    const { journal } = this;
    if (journal === null) throw new MonolithError('Internal', `shard ${this.options.shard}: a change without a journal`);
    journal.append(pieces);
    if (journal.bytes < this.limit) return;
    this.limit *= 2;
    this.options.onFull?.();
  }

  private readSnapshot(path: string, backend: KernelBackend): { readonly job: ShardJob; readonly spec: string } | null {
    let found: { readonly job: ShardJob; readonly spec: string } | null = null;
    let whole = false;
    readRecords(path, (payload) => {
      const kind = payload.readUInt32LE(0);
      if (kind === RecordKind.begin) {
        const { job, shard = this.options.shard, spec, applied } = readBegin(payload);
        if (shard !== this.options.shard) {
          throw new MonolithError(
            'InvalidConfig',
            `${path} is the state of shard ${shard}, this process is shard ${this.options.shard}: give each --index its own --state-folder, or empty the folder and resume from the last checkpoint`,
            { path, shard: this.options.shard, found: shard },
          );
        }
        found = { job: new ShardJob(job, new ShardRuntime(parseShardSpec(spec), this.options.shard, backend), null), spec };
        for (const [w, line] of found.job.lines.entries()) line.applied = applied[w] ?? 0;
      } else if (kind === RecordKind.end) whole = true;
      else if (found !== null) replayRecord(found.job, payload);
    });
    return whole ? found : null;
  }

  /** Newest first. */
  private generations(): number[] {
    const found = readdirIfThere(this.folder).flatMap((name) => {
      const match = SNAPSHOT.exec(name);
      return match === null ? [] : [Number(match[1])];
    });
    return found.sort((a, b) => b - a);
  }

  private async removeBefore(generation: number): Promise<void> {
    for (const name of readdirIfThere(this.folder)) {
      const match = /^(?:snapshot|journal)-(\d+)\.bin(?:\.tmp)?$/.exec(name);
      if (match !== null && Number(match[1]) < generation) await removeQuietly(join(this.folder, name));
    }
  }

  private path(kind: 'snapshot' | 'journal', generation: number): string {
    return join(this.folder, `${kind}-${String(generation).padStart(6, '0')}.bin`);
  }
}

function readdirIfThere(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
