import type { BinaryMetrics, RegressionMetrics } from '../metrics/index.js';
import { dateText, type WindowLike } from './run-events.js';
import { compact, counted, durationText, figureText, grouped, printable } from './text.js';

/** Figures of a set with the names that people read, most telling first. */
export function namedFigures(metrics: BinaryMetrics | RegressionMetrics): readonly (readonly [name: string, value: number])[] {
  if ('mse' in metrics) {
    return [
      ['RMSE', metrics.rmse],
      ['MSE', metrics.mse],
      ['MAE', metrics.mae],
      ['mean prediction', metrics.meanPrediction],
      ['mean label', metrics.meanLabel],
    ];
  }
  return [
    ['AUC', metrics.auc],
    ['log loss', metrics.logloss],
    ['normalized entropy', metrics.normalizedEntropy],
    ['calibration', metrics.calibration],
    ['accuracy', metrics.accuracy],
    ['mean prediction', metrics.meanPrediction],
    ['mean label', metrics.meanLabel],
  ];
}

/** `eval at step 1200: AUC 0.78741, log loss 0.45123, normalized entropy 0.81230, calibration 1.00210, accuracy 0.81230 (20,000 examples)` */
export function evaluationLine(step: number, metrics: BinaryMetrics | RegressionMetrics): string {
  const shown = namedFigures(metrics).filter(([name]) => !name.startsWith('mean '));
  const figures = shown.map(([name, value]) => `${name} ${figureText(value)}`).join(', ');
  return `eval at step ${step}: ${figures} (${counted(metrics.examples, 'example')})`;
}

/** `window 2026-11-29T08:00:00.000Z to 09:00:00.000Z: AUC 0.78741, …, before learning (20,000 examples, 3 late)` */
export function windowLine(window: WindowLike): string {
  const { startMs, endMs, metrics, late, untimed, partial } = window;
  const shown = namedFigures(metrics).filter(([name]) => !name.startsWith('mean '));
  const figures = shown.map(([name, value]) => `${name} ${figureText(value)}`).join(', ');
  const counts = [
    counted(metrics.examples, 'example'),
    ...(late > 0 ? [`${grouped(late)} late`] : []),
    ...(untimed > 0 ? [`${grouped(untimed)} without a time`] : []),
    ...(partial ? ['not at its end'] : []),
  ];
  return `window ${dateText(startMs)} to ${dateText(endMs)}: ${figures} (before learning; ${counts.join(', ')})`;
}

/** Rows under a header in aligned columns: text to the left, everything but the first column to the right. */
export function alignedTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    widths.map((width, column) => (column === 0 ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width))).join('  ');
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].map((text) => text.trimEnd()).join('\n');
}

export type RunResult = {
  readonly step: number;
  readonly examples: number;
  /** Training time of this process. */
  readonly seconds: number;
  readonly examplesPerSecond: number;
  readonly trainLoss: number;
  readonly eval: BinaryMetrics | RegressionMetrics | null;
  readonly checkpoint: string | null;
  /** Records that could not be read and were skipped. */
  readonly badRecords?: number;
  /** Why it ended before its time, such as early stopping or a signal; null otherwise. */
  readonly stoppedBy?: string | null;
  /** Set when the run had already ended before and this process trained nothing. */
  readonly nothingLeft?: boolean;
};

/** The end of a run for people, on standard output: a table of the evaluation's figures, then what was trained and where it is. */
export function resultText(result: RunResult): string {
  const lines: string[] = [];
  if (result.eval !== null) {
    const rows = namedFigures(result.eval).map(([name, value]) => [name, figureText(value)]);
    rows.push(['examples', grouped(result.eval.examples)]);
    lines.push(alignedTable(['evaluation', 'value'], rows), '');
  }
  if (result.nothingLeft === true) lines.push(`nothing left to train: the checkpoint is at step ${result.step}, the end of this run`);
  else {
    lines.push(
      `trained ${counted(result.step, 'step')}: ${counted(result.examples, 'example')} in ${durationText(result.seconds)}, ${compact(result.examplesPerSecond)} examples/s, loss ${figureText(result.trainLoss)}`,
    );
  }
  if (result.badRecords !== undefined && result.badRecords > 0) lines.push(`skipped ${counted(result.badRecords, 'bad record')}`);
  if (result.stoppedBy) lines.push(`stopped by ${result.stoppedBy}`);
  if (result.checkpoint !== null) lines.push(`checkpoint ${printable(result.checkpoint)}`);
  return lines.join('\n');
}
