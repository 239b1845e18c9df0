import type { TrainingConfig } from '../config/index.js';
import type { ModelOnData, WarmStartReport } from '../training/index.js';

/** What a run is about to do; for banners and start events. */
export type RunInfo = {
  readonly config: TrainingConfig;
  readonly bound: ModelOnData;
  readonly backend: { readonly name: string; readonly instructionSet: string; readonly reason: string | null };
  readonly resumedStep: number | null;
  /** Set when the data are not those of the checkpoint: training starts at the beginning of the new ones. */
  readonly newData: boolean;
  /** How the rows of the checkpoint are stored, when those of this run are not and loading rounds them; else null. */
  readonly roundedFrom: TrainingConfig['embedding']['storage'] | null;
  /** What a restore from another folder did, or why it did nothing; null where none was asked for. */
  readonly restoreNote: string | null;
  /** What a warm start took over and what it left alone; null where there was none. */
  readonly warmStart: WarmStartReport | null;
  readonly startupMs: number;
  /** Files after globs are resolved, their bytes (null when not known) and the format found. */
  readonly trainFiles: readonly string[];
  readonly evalFiles: readonly string[];
  readonly trainBytes: number | null;
  readonly format: string;
  /** What was told of the training files by looking at them, in words. */
  readonly found: string;
};
