import { packageVersion } from '../base/index.js';
import { checkpointEvent, doneEvent, evalEvent, progressEvent, type RunEvent, type RunLog, startEvent } from '../telemetry/index.js';
import type { CheckpointEvent, EvaluationEvent, Progress, TrainHook, TrainResult } from '../training/index.js';
import type { RunInfo } from './run-info.js';

/** The events of a run, in the order and names of `--json`, handed to one receiver. */
export class EventHook implements TrainHook {
  constructor(
    private readonly info: RunInfo,
    private readonly write: (event: RunEvent) => void,
  ) {}

  onStart(): void {
    const { config, bound, backend, resumedStep } = this.info;
    this.write(
      startEvent({
        version: packageVersion(),
        model: bound.plan.name,
        model_dir: config.modelDir,
        workers: config.workers,
        ps: config.ps,
        mode: config.mode,
        backend: backend.name,
        instruction_set: backend.instructionSet,
        precision: config.precision,
        batch_size: config.batchSize,
        seed: config.seed,
        dense_parameters: bound.plan.parameters.reduce((sum, parameter) => sum + parameter.length, 0),
        tables: bound.plan.tables.map((table) => ({ name: table.name, dim: table.dim, features: table.features.length })),
        resumed_step: resumedStep,
      }),
    );
  }

  onProgress(progress: Progress): void {
    this.write(progressEvent(progress));
  }

  onEvaluation({ step, metrics }: EvaluationEvent): void {
    this.write(evalEvent(step, metrics));
  }

  onCheckpoint({ step, path }: CheckpointEvent): void {
    this.write(checkpointEvent(step, path));
  }

  onEnd(result: TrainResult): void {
    this.write(
      doneEvent({
        step: result.step,
        examples: result.examples,
        examplesPerSecond: result.examplesPerSecond,
        seconds: result.seconds,
        trainLoss: result.loss,
        eval: result.evaluation,
        checkpoint: result.checkpoint,
        badRecords: result.badRecords,
        reason: result.reason,
        stages: result.stages,
        precision: this.info.config.precision,
      }),
    );
  }
}

/** Writes the events of a run to its folder. A full disk ends the run at the next checkpoint or the end. */
export class RunLogHook extends EventHook {
  constructor(
    private readonly log: RunLog,
    info: RunInfo,
  ) {
    super(info, (event) => log.write(event));
  }

  override async onEnd(result: TrainResult): Promise<void> {
    super.onEnd(result);
    await this.log.flush();
  }
}
