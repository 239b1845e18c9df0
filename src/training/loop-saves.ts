import type { PendingSave } from './checkpoint-saver.js';
import type { CheckpointEvent } from './hooks.js';

/** The checkpoints of a loop: the newest one that is durable, and one that is being written while training goes on. */
export class LoopSaves {
  /** The state that the newest checkpoint holds, or will, as text. */
  held: string | null = null;
  private inHand: (PendingSave & { settled: boolean }) | null = null;

  /**
   * @param path of the newest checkpoint; null: there is none yet.
   * @param tell is told of each that is durable.
   */
  constructor(
    public path: string | null,
    private readonly tell: (event: CheckpointEvent) => Promise<void>,
    private readonly now: () => number,
  ) {}

  /** Whether one is written to its end, and nobody was told yet: {@link finish} will not wait. */
  get haveEnded(): boolean {
    return this.inHand?.settled === true;
  }

  /**
   * Begins one with a state, unless the newest one holds it. One at a time: waits for the one before.
   * @param save captures the state.
   * @throws what the one before failed with
   */
  async begin(state: string, save: () => Promise<PendingSave>): Promise<void> {
    if (this.held === state && (this.path !== null || this.inHand !== null)) return;
    const from = this.now();
    await this.finish();
    const waitedMs = this.now() - from;
    const saving = { ...(await save()), waitedMs, settled: false };
    const settle = (): void => {
      saving.settled = true;
    };
    saving.durable.then(settle, settle);
    this.inHand = saving;
    this.held = state;
  }

  /** Waits until the one in hand is durable, and only then tells of it. @throws what it failed with */
  async finish(): Promise<void> {
    const saving = this.inHand;
    if (saving === null) return;
    try {
      const path = await saving.durable;
      // Somebody else has waited for it too, and told.
      if (this.inHand !== saving) return;
      this.inHand = null;
      this.path = path;
    } catch (error) {
      if (this.inHand === saving) this.inHand = this.held = null;
      throw error;
    }
    await this.tell({ step: saving.step, path: this.path, delta: saving.isDelta, waitedMs: saving.waitedMs });
  }
}
