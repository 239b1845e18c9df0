import { type BaseReference, type CheckpointReader, RunLock, removeAllCheckpoints } from '../checkpoint/index.js';
import { type BadBatch, CheckpointThread, LocalCluster } from '../cluster/index.js';
import { configToYaml, type TrainingConfig } from '../config/index.js';
import type { BatchPipeline } from '../data/index.js';
import { hooksOf } from '../hooks/index.js';
import { RunLog } from '../telemetry/index.js';
import {
  bindModel,
  CheckpointSaver,
  hasEvaluationData,
  type ModelOnData,
  openPipeline,
  type RunSpec,
  roundedFrom,
  slotSchema,
  specOfRun,
  type TrainerState,
  type TrainHook,
  type TrainingEngine,
  TrainLoop,
  type TrainResult,
  warmStart,
} from '../training/index.js';
import { closeAll } from './close-all.js';
import { openStart, openWarmStart } from './restored-start.js';
import type { RunInfo } from './run-info.js';
import { RunLogHook } from './run-log-hook.js';
import { lasting, manifestFields, type Resumed, resume, withBadBatch } from './run-record.js';
import { type StepLimits, targetStep } from './step-limits.js';

/** What trains a run: its workers and shards, wherever they are. */
export type RunEngine = TrainingEngine & {
  readonly backend: RunInfo['backend'];
  readonly badBatch: BadBatch | null;
};

/** Starts workers and shards for a run whose data files have these names and sizes; no evaluation data: ''. */
export type StartEngine = (spec: RunSpec, identity: { readonly train: string; readonly evaluation: string }) => Promise<RunEngine>;

export type SessionOptions = {
  readonly hooks?: readonly TrainHook[];
  /** Ends training after the step in hand; a checkpoint is written. */
  readonly signal?: AbortSignal;
  /** Told once everything is ready, before the first step. */
  readonly onReady?: (info: RunInfo) => void | Promise<void>;
  /** Starts workers and shards that are not threads of this process; here runs worker 0. It is closed at the end. */
  readonly startEngine?: StartEngine;
};

type Parts = {
  readonly config: TrainingConfig;
  readonly options: SessionOptions;
  readonly bound: ModelOnData;
  readonly train: BatchPipeline;
  readonly evaluation: BatchPipeline | null;
  readonly cluster: RunEngine;
  readonly log: RunLog;
  readonly info: RunInfo;
  /** Those that options ask for, of the first run. */
  readonly hooks: readonly TrainHook[];
  readonly saved: Resumed | null;
  readonly checkpoint: CheckpointReader | null;
  readonly replaceOlder: boolean;
  readonly saver: CheckpointSaver;
};

/**
 * A run folder with everything that trains in it: lock, data, threads. {@link run} may be called again and again and goes on each time from
 * where it stood, to the same bits as a single call.
 */
export class TrainingSession {
  /** What was saved last; null before the first checkpoint of a new run. */
  private state: TrainerState | null;
  private checkpointPath: string | null;
  /** Whether older checkpoints that `fresh` leaves aside are gone. */
  private cleared: boolean;
  private ran = false;

  private constructor(
    private readonly parts: Parts,
    private readonly open: readonly { close(): Promise<void> }[],
  ) {
    this.state = parts.saved?.state ?? null;
    this.checkpointPath = parts.checkpoint?.entry.path ?? null;
    this.cleared = !parts.replaceOlder;
  }

  /**
   * Takes the run folder, opens the data, starts workers and shards and loads the newest checkpoint, or the one to restore, unless the
   * config says `fresh`.
   * @throws RunFolderBusy, InvalidConfig, DataNotFound, DataFormat, CheckpointCorrupt, CheckpointIncompatible, …
   */
  static async open(config: TrainingConfig, options: SessionOptions): Promise<TrainingSession> {
    const started = performance.now();
    const hooks = await hooksOf(config);
    const bound = await bindModel(config, 'train');
    const open: { close(): Promise<void> }[] = [await RunLock.take(config.modelDir)];
    try {
      const { checkpoint, replaceOlder, note } = await openStart(config);
      const train = await openPipeline(config, 'train', bound, options.startEngine === undefined ? null : 0);
      open.push(train);
      const evaluation = hasEvaluationData(config) ? await openPipeline(config, 'evaluate', bound) : null;
      if (evaluation !== null) open.push(evaluation);
      const start: StartEngine = options.startEngine ?? ((spec) => LocalCluster.start(spec));
      const cluster: RunEngine = await start(specOfRun(config, bound, train), {
        train: train.identity,
        evaluation: evaluation?.identity ?? '',
      });
      open.push(cluster);
      const saved = checkpoint === null ? null : await resume(cluster, checkpoint, train, config);
      const warm = checkpoint === null ? await openWarmStart(config) : null;
      const warmStarted =
        warm === null ? null : await warmStart(cluster, warm, slotSchema(config.data, train.stats().format), config.warmStart);
      const resumedStep = saved?.state.step ?? null;
      const log = await RunLog.open({ folder: config.modelDir, configYaml: configToYaml(lasting(config)), resumedStep });
      open.push(log);
      const info = {
        config,
        bound,
        backend: cluster.backend,
        resumedStep,
        newData: saved?.newData ?? false,
        restoreNote: note,
        warmStart: warmStarted,
        roundedFrom: checkpoint === null ? null : roundedFrom(checkpoint, config.embedding.storage),
        startupMs: performance.now() - started,
        trainFiles: train.files,
        evalFiles: evaluation === null ? [] : evaluation.files,
        trainBytes: train.stats().totalBytes,
        format: train.stats().format,
        found: train.stats().found,
      };
      const saver = new CheckpointSaver({
        engine: cluster,
        modelDir: config.modelDir,
        openWriter: () => new CheckpointThread(cluster.spec),
        background: config.checkpointMode === 'background',
        deltas: config.deltaEvery > 0,
        base: baseOf(checkpoint),
      });
      // Ends before the cluster does: what is in hand is written first.
      open.push(saver);
      await cluster.begin(train.position);
      await options.onReady?.(info);
      return new TrainingSession(
        { config, options, hooks, bound, train, evaluation, cluster, log, saver, info, saved, checkpoint, replaceOlder },
        open,
      );
    } catch (error) {
      await closeAll(open).catch(() => {});
      throw error;
    }
  }

  /** The global step. */
  get step(): number {
    return this.state?.step ?? 0;
  }

  /** Whether the run folder holds a checkpoint of this run. */
  get saved(): boolean {
    return this.cleared && this.checkpointPath !== null;
  }

  /** Trains to the limits; ends with an evaluation, where there are data for one, and a checkpoint. */
  async run(limits: StepLimits): Promise<TrainResult> {
    const { config, options, bound, train, evaluation, cluster, saver, log, info } = this.parts;
    const target = targetStep(this.step, limits, config.maxSteps);
    const resumedStep = this.checkpointPath === null ? null : this.step;
    // A hook is made for one run.
    const hooks = this.ran ? await hooksOf(config) : this.parts.hooks;
    this.ran = true;
    const loop = new TrainLoop({
      engine: cluster,
      train,
      evaluation,
      settings: {
        maxSteps: config.maxSteps,
        target,
        checkpointEvery: config.checkpointEvery,
        deltaEvery: config.deltaEvery,
        evalEvery: config.evalEvery,
        ...(config.evalSteps === 0 ? {} : { evalSteps: config.evalSteps }),
        checkpointEverySeconds: config.checkpointEverySeconds,
        evalEverySeconds: config.evalEverySeconds,
        logEverySeconds: config.logEvery,
        retention: { newest: config.keepCheckpoints, best: config.keepBest === 'none' ? null : config.keepBest },
        earlyStop: config.earlyStop,
      },
      state: this.state,
      resumedFrom: this.checkpointPath,
      save: async (state, metrics, bestStep, position, keep, how) => {
        // Older checkpoints go when there is something to take their place, not before the new data have shown to be good.
        if (!this.cleared) await removeAllCheckpoints(config.modelDir);
        this.cleared = true;
        const pending = await saver.begin({
          step: state.step,
          keep,
          keepStep: bestStep,
          fields: manifestFields(config, bound, train, position, state, metrics),
          ...how,
        });
        const durable = pending.durable.then((path) => {
          this.state = state;
          this.checkpointPath = path;
          return path;
        });
        durable.catch(() => {});
        return { ...pending, durable };
      },
      modelDir: config.modelDir,
      hooks: [new RunLogHook(log, { ...info, resumedStep }), ...hooks, ...(options.hooks ?? [])],
      stop: options.signal ?? null,
      now: () => performance.now(),
    });
    try {
      return await loop.run();
    } catch (error) {
      throw await withBadBatch(error, cluster.badBatch, config.modelDir, bound.inputs.dense);
    }
  }

  /** Ends threads, data and lock. */
  close(): Promise<void> {
    return closeAll(this.open);
  }
}

/** The whole checkpoint that a resumed run's changes count from. */
function baseOf(checkpoint: CheckpointReader | null): BaseReference | null {
  if (checkpoint === null) return null;
  const { base, step, crc32c } = checkpoint.manifest;
  return base ?? { step, crc32c };
}
