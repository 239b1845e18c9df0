import { MonolithError, packageVersion } from '../../base/index.js';
import type { ResolvedConfig } from '../../config/index.js';
import {
  Estimator,
  EventHook,
  joinJob,
  type RunInfo,
  type TrainHook,
  type TrainOptions,
  type TrainResult,
  warmStartLines,
} from '../../estimator/index.js';
import { banner, evaluationLine, eventLine, ProgressReporter, resultText } from '../../telemetry/index.js';
import { ExitCode } from '../exit-codes.js';
import type { Output } from '../output.js';
import { StopSignals } from '../signals.js';
import { trainOnLocalHosts } from './local-hosts.js';

/** `monolith-local train`: banner, progress, evaluations and the result. Returns the exit code. */
export async function train(resolved: ResolvedConfig, output: Output): Promise<number> {
  const { config } = resolved;
  const progress = new ProgressReporter({ quiet: config.quiet, json: config.json, everySeconds: config.logEvery });
  const say = (line: string): void => {
    progress.message(line);
  };
  const { enabled, role } = config.distributed;
  // Only the chief has something to save.
  const signals = new StopSignals(
    (line) => (config.json ? output.talk(`${line}\n`) : progress.message(line)),
    enabled && role !== 'chief' ? 'stopping' : undefined,
  );
  const json: { hook: EventHook | null } = { hook: null };
  const hook: TrainHook = {
    name: 'output',
    onStart: () => json.hook?.onStart(),
    onProgress: (update) => {
      json.hook?.onProgress(update);
      progress.update({ ...update, epoch: update.epoch + 1, epochs: config.epochs, fraction: update.fraction });
    },
    onEvaluation: (event) => {
      json.hook?.onEvaluation(event);
      say(`${evaluationLine(event.step, event.metrics)}${event.best ? ', best so far' : ''}`);
    },
    onCheckpoint: (event) => {
      json.hook?.onCheckpoint(event);
      say(`checkpoint ${event.path}${waitedNote(event.waitedMs)}`);
    },
    onEnd: (result) => json.hook?.onEnd(result),
  };
  try {
    const options: TrainOptions = {
      hooks: [hook],
      signal: signals.signal,
      onReady: (info) => {
        if (info.warmStart !== null && !config.quiet) for (const line of warmStartLines(info.warmStart)) output.talk(`${line}\n`);
        if (config.json || config.quiet) for (const line of resumeNotes(info)) output.talk(`${line}\n`);
        if (config.json) json.hook = new EventHook(info, (event) => output.result(eventLine(event)));
        else if (!config.quiet) output.talk(bannerText(info));
        else if (info.backend.reason !== null) output.talk(`${reasonLine(info.backend.reason)}\n`);
        if (config.json && info.backend.reason !== null) output.talk(`${reasonLine(info.backend.reason)}\n`);
      },
    };
    const { distributed } = config;
    if (distributed.enabled || distributed.localHosts > 0) output.leaveAtEnd();
    const log = (line: string): void => {
      if (!config.quiet) output.talk(`${line}\n`);
    };
    const result =
      distributed.localHosts > 0
        ? await trainOnLocalHosts(resolved, { ...options, log })
        : distributed.enabled
          ? await joinJob(resolved, { ...options, log })
          : await new Estimator(resolved).train(options);
    progress.finish();
    if (result === null) return ExitCode.done;
    if (!config.json) output.result(endText(result));
    return signals.exitCode !== null && result.reason === 'stopped' ? signals.exitCode : ExitCode.done;
  } catch (error) {
    // A worker or parameter server that was told to stop did so.
    if (signals.exitCode !== null && error instanceof MonolithError && error.code === 'Cancelled') return signals.exitCode;
    throw error;
  } finally {
    progress.finish();
    signals.close();
  }
}

const NEW_DATA_LINE = 'the data differ from those of the checkpoint: they are read from their beginning';

function reasonLine(reason: string): string {
  return `native addon not used (${reason}); running on the reference kernels, which are many times slower. See 'monolith-local doctor'`;
}

/** What a resume does that its user may not expect. */
/** Training that waits for checkpoints is not what people expect of them: say so where it shows. */
function waitedNote(waitedMs: number): string {
  return waitedMs < 100
    ? ''
    : ` (training waited ${(waitedMs / 1000).toFixed(1)} s for the one before it: they are due faster than they are written)`;
}

function resumeNotes({ newData, roundedFrom, restoreNote, config }: RunInfo): string[] {
  const { storage } = config.embedding;
  const rounded = `rows of the checkpoint were stored as ${roundedFrom}: they are rounded to nearest ${storage}`;
  return [...(restoreNote === null ? [] : [restoreNote]), ...(newData ? [NEW_DATA_LINE] : []), ...(roundedFrom === null ? [] : [rounded])];
}

function bannerText(info: RunInfo): string {
  const { config, bound, backend, resumedStep } = info;
  const notes = [...(backend.reason === null ? [] : [reasonLine(backend.reason)]), ...resumeNotes(info)];
  return `${banner({
    version: packageVersion(),
    config,
    tables: bound.plan.tables.map((table) => ({ name: table.name, dim: table.dim, features: table.features.length })),
    denseParameters: bound.plan.parameters.reduce((sum, parameter) => sum + parameter.length, 0),
    trainFiles: info.trainFiles,
    evalFiles: info.evalFiles,
    trainBytes: info.trainBytes,
    format: info.format,
    found: info.found,
    backend: backend.name,
    instructionSet: backend.instructionSet,
    resumedStep,
    ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
  })}\n`;
}

/** Why a run ended before its data did, as words that follow "stopped by". */
function stoppedBy({ reason, hookStop }: TrainResult): string | null {
  switch (reason) {
    case 'end of data':
    case 'led by the chief':
      return null;
    case 'max steps':
      return '--max-steps';
    case 'early stopping':
      return 'early stopping';
    case 'stopped by hook':
      return hookStop === null ? 'a hook' : `hook ${hookStop.hook}${hookStop.reason === null ? '' : `: ${hookStop.reason}`}`;
    case 'stopped':
      return 'a signal; the same command goes on from here';
    default:
      return reason satisfies never;
  }
}

function endText(result: TrainResult): string {
  return `${resultText({
    step: result.step,
    examples: result.examples,
    seconds: result.seconds,
    examplesPerSecond: result.examplesPerSecond,
    trainLoss: result.loss,
    eval: result.evaluation,
    checkpoint: result.checkpoint,
    badRecords: result.badRecords,
    nothingLeft: result.runExamples === 0,
    stoppedBy: stoppedBy(result),
  })}\n`;
}
