import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, makeFolderDurable, systemClock, writeFileDurable } from '../base/index.js';
import { AppendFile } from './append-file.js';
import type { RunEvent } from './run-events.js';
import { encodeEvent, FILE_VERSION, frameRecord, type Scalar } from './tensorboard-event.js';

/** Columns of metrics.csv; a cell is empty where an event has no such figure. */
const csvColumns = [
  'event',
  'step',
  'epoch',
  'examples',
  'examples_per_second',
  'loss',
  'auc',
  'logloss',
  'normalized_entropy',
  'calibration',
  'accuracy',
  'mse',
  'rmse',
  'mae',
] as const;

/** Figures of an event that TensorBoard plots. */
const plotted = ['loss', 'examples_per_second', 'learning_rate_factor', ...csvColumns.slice(6)];

export type RunLogOptions = {
  /** The run folder; made when it is not there. */
  readonly folder: string;
  /** The configuration in force, written to config.yaml. */
  readonly configYaml: string;
  /** Step of the checkpoint that the run goes on from: what earlier runs logged after it is taken out. null: the logs start anew. */
  readonly resumedStep: number | null;
  readonly clock?: Clock;
};

/**
 * The record that a run leaves in its folder: `config.yaml`, `metrics.csv`, `metrics.jsonl` (the events of `--json` with the time of day) and
 * `events.out.tfevents.*` for TensorBoard. After a kill and a resume no step stands in them twice: torn last lines and lines behind the
 * checkpoint are taken out, and TensorBoard is told to forget its points of those steps.
 */
export class RunLog {
  private constructor(
    private readonly csv: AppendFile,
    private readonly jsonLines: AppendFile,
    private readonly tensorboard: AppendFile,
    private readonly clock: Clock,
  ) {}

  /** @throws DiskFull, WriteFailed */
  static async open(options: RunLogOptions): Promise<RunLog> {
    const { folder, resumedStep, clock = systemClock } = options;
    await makeFolderDurable(folder);
    await writeFileDurable(join(folder, 'config.yaml'), options.configYaml);
    const csvPath = join(folder, 'metrics.csv');
    const jsonPath = join(folder, 'metrics.jsonl');
    const rows = resumedStep === null ? [] : (await completeLines(csvPath)).slice(1).filter((line) => csvStep(line) <= resumedStep);
    const lines = resumedStep === null ? [] : (await completeLines(jsonPath)).filter((line) => jsonStep(line) <= resumedStep);
    await writeFileDurable(csvPath, [csvColumns.join(','), ...rows, ''].join('\n'));
    await writeFileDurable(jsonPath, [...lines, ''].join('\n'));
    const files: AppendFile[] = [];
    try {
      files.push(await AppendFile.open(csvPath), await AppendFile.open(jsonPath));
      files.push(await openEventFile(folder, clock));
    } catch (error) {
      await Promise.allSettled(files.map((file) => file.close()));
      throw error;
    }
    const [csv, jsonLines, tensorboard] = files;
    const wallTime = clock.wallClock() / 1000;
    tensorboard.append(frameRecord(encodeEvent({ wallTime, step: 0, fileVersion: FILE_VERSION })));
    tensorboard.append(frameRecord(encodeEvent({ wallTime, step: resumedStep === null ? 0 : resumedStep + 1, sessionStart: true })));
    return new RunLog(csv, jsonLines, tensorboard, clock);
  }

  /** Name of the TensorBoard file of this run. */
  get eventFile(): string {
    return this.tensorboard.path;
  }

  /** Logs an event everywhere it belongs. Never blocks, never throws; {@link flush} tells of failed writes. */
  write(event: RunEvent): void {
    const milliseconds = this.clock.wallClock();
    this.jsonLines.append(`${JSON.stringify({ time: new Date(milliseconds).toISOString(), ...event })}\n`);
    if (event.event === 'start') return;
    const figures: Readonly<Record<string, unknown>> = event.event === 'done' ? { ...event, loss: event.train.loss } : event;
    this.csv.append(`${csvColumns.map((column) => csvCell(figures[column])).join(',')}\n`);
    if (event.event !== 'progress' && event.event !== 'eval' && event.event !== 'window') return;
    const group = event.event === 'progress' ? 'train' : event.event;
    const scalars = plotted.flatMap((name): Scalar[] => {
      const value = figures[name];
      return typeof value === 'number' ? [{ tag: `${group}/${name}`, value }] : [];
    });
    if (event.event === 'progress') {
      for (const [stage, value] of Object.entries(event.stages ?? {})) scalars.push({ tag: `stages/${stage}`, value });
    }
    if (scalars.length === 0) return;
    this.tensorboard.append(frameRecord(encodeEvent({ wallTime: milliseconds / 1000, step: event.step, scalars })));
  }

  /** Waits until everything is with the operating system. @throws DiskFull, WriteFailed */
  async flush(): Promise<void> {
    await Promise.all([this.csv.flush(), this.jsonLines.flush(), this.tensorboard.flush()]);
  }

  /** Flushes and closes; closing twice is fine. @throws DiskFull, WriteFailed */
  async close(): Promise<void> {
    const results = await Promise.allSettled([this.csv.close(), this.jsonLines.close(), this.tensorboard.close()]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

function csvCell(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

/** Lines that end in a line break; an unfinished last one, left by a kill, is dropped. A file that is not there has none. */
async function completeLines(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').slice(0, -1);
}

/** Step of a row; ∞ for a row that is none, so that it is dropped. */
function csvStep(line: string): number {
  const cells = line.split(',');
  const step = cells.length === csvColumns.length && cells[1] !== '' ? Number(cells[1]) : Number.NaN;
  return Number.isNaN(step) ? Number.POSITIVE_INFINITY : step;
}

/** Step of a line; 0 for a start, which is kept; ∞ for what is no event. */
function jsonStep(line: string): number {
  try {
    const event = JSON.parse(line) as { readonly event?: unknown; readonly step?: unknown };
    if (event.event === 'start') return 0;
    return typeof event.step === 'number' ? event.step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Tries at a free name; two runs in one folder within a second are rare, sixty are a mistake. */
const MAX_NAME_TRIES = 60;

/** A new event file. TensorBoard reads files in the order of their names, so the name starts with the time, as TensorFlow's does. */
async function openEventFile(folder: string, clock: Clock): Promise<AppendFile> {
  const seconds = Math.floor(clock.wallClock() / 1000);
  for (let tries = 0; ; tries++) {
    const path = join(folder, `events.out.tfevents.${String(seconds + tries).padStart(10, '0')}.monolith-local`);
    try {
      return await AppendFile.open(path, true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries === MAX_NAME_TRIES) throw error;
    }
  }
}
