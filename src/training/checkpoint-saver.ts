import { MonolithError } from '../base/index.js';
import { type BaseReference, checkpointName, type ManifestFields, referenceTo } from '../checkpoint/index.js';
import { rowShape, type SavedSnapshot, type SnapshotWriter } from '../steps/index.js';
import type { TrainingEngine } from './engine.js';
import { saveSnapshot } from './snapshot.js';

/** One checkpoint to make of the present state. */
export type SaveRequest = {
  readonly step: number;
  /** Checkpoints to keep, ≥ 1, and one more to keep besides. */
  readonly keep: number;
  readonly keepStep: number | null;
  /** For the manifest: plain JSON without times or paths of the machine. */
  readonly fields: ManifestFields;
  /** Only what has changed since the last whole checkpoint, where there is one to stand on. */
  readonly delta: boolean;
  /** Nothing will be trained while it is written: where that is quick, no thread is started for it. */
  readonly last: boolean;
};

/** A save whose state is captured: training may go on. */
export type PendingSave = {
  readonly step: number;
  readonly isDelta: boolean;
  /** Milliseconds that it waited for the save before it. */
  readonly waitedMs: number;
  /** Resolves when it is durable, with the path of the manifest; rejects with what it failed with, naming the step. */
  readonly durable: Promise<string>;
};

export type CheckpointSaverParts = {
  readonly engine: TrainingEngine;
  readonly modelDir: string;
  /** Starts the thread that writes; returns at once. */
  readonly openWriter: () => SnapshotWriter;
  /** Write while training goes on, where the engine can. */
  readonly background: boolean;
  /** Whether deltas will be asked for. */
  readonly deltas: boolean;
  /** The whole checkpoint that the engine's changes count from; null: there is none. */
  readonly base: BaseReference | null;
};

/** Bytes of rows up to which the last checkpoint of a run that has made none in the background is written without a thread. */
const SMALL_BYTES = 64 << 20;

/**
 * Makes the checkpoints of a run, one at a time. Where the engine can freeze its state a save takes the run a few milliseconds, and a thread of its own
 * writes it while training goes on; elsewhere training stands still until it is written. Either way the bytes are those of the state at the call.
 */
export class CheckpointSaver {
  private base: BaseReference | null;
  private writer: SnapshotWriter | null = null;
  /** The save in hand; never rejects. */
  private inHand: Promise<unknown> = Promise.resolve();

  /** @throws InvalidConfig where deltas are asked for and the engine keeps no account of changes. */
  constructor(private readonly parts: CheckpointSaverParts) {
    this.base = parts.base;
    if (parts.deltas && !parts.engine.canFreeze) {
      throw new MonolithError(
        'InvalidConfig',
        'deltaEvery: delta checkpoints need the native backend and shards in this process; use --backend native without distributed.enabled, or --delta-every 0',
      );
    }
  }

  /**
   * Begins a checkpoint of the present state; the engine must be synced, and may go on when this resolves. Waits for the save before it.
   * @throws what the state could not be captured with.
   */
  async begin(request: SaveRequest): Promise<PendingSave> {
    const { engine, background } = this.parts;
    const { step } = request;
    const from = performance.now();
    await this.inHand;
    const waitedMs = performance.now() - from;
    const base = request.delta && this.base !== null && this.base.step < step ? this.base : null;
    const isDelta = base !== null;
    const standing =
      !engine.canFreeze || (this.writer === null && base === null && (request.last || !background) && (await this.isSmall()));
    const durable = (standing ? this.saveStanding(request) : (await this.saveFrozen(request, base)).written).then(({ path }) => path);
    this.inHand = durable.catch(() => {});
    if (standing || !background) await this.inHand;
    return { step, isDelta, waitedMs, durable };
  }

  /** Waits for the save in hand, whatever becomes of it, and ends the thread. Twice is fine. */
  async close(): Promise<void> {
    await this.inHand;
    await this.writer?.close();
    this.writer = null;
  }

  private async saveStanding(request: SaveRequest): Promise<{ readonly path: string }> {
    const { engine, modelDir, deltas } = this.parts;
    this.base = null;
    try {
      const path = await saveSnapshot(engine, { modelDir, ...request });
      if (deltas) {
        await engine.forgetChanges();
        this.base = await referenceTo(modelDir, request.step);
      }
      return { path };
    } catch (error) {
      throw naming(request.step, error);
    }
  }

  /** @throws what the state could not be frozen with; what it could not be written with is in the answer. */
  private async saveFrozen(request: SaveRequest, base: BaseReference | null): Promise<{ readonly written: Promise<SavedSnapshot> }> {
    const { engine, modelDir, openWriter } = this.parts;
    const { step, keep, keepStep, fields } = request;
    const state = await engine.freeze(base !== null, base === null);
    if (state === null) throw new MonolithError('Internal', `checkpoint-${step}: the engine can freeze its state and did not`);
    if (base === null) this.base = null;
    this.writer ??= openWriter();
    const written = this.writer.write({ modelDir, step, keep, keepStep, fields, base, state }).then(
      (saved) => {
        this.base = saved.reference ?? this.base;
        return saved;
      },
      (error: unknown) => {
        throw naming(step, error);
      },
    );
    return { written };
  }

  private async isSmall(): Promise<boolean> {
    const { rows } = await this.parts.engine.sizes();
    const bytes = this.parts.engine.spec.tables.reduce((sum, table, t) => {
      const { dim, stateLength } = rowShape(table);
      return sum + rows[t] * (dim + stateLength) * 4;
    }, 0);
    return bytes <= SMALL_BYTES;
  }
}

/** An error of a save names the step, since training may have gone on. */
function naming(step: number, error: unknown): unknown {
  const known = MonolithError.from(error);
  if (known.message.includes(checkpointName(step))) return error;
  return new MonolithError(
    known.code,
    `${checkpointName(step)} not written: ${known.message}`,
    { ...known.details, step },
    { cause: error },
  );
}
