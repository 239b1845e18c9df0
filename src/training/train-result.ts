import type { HookStop, StopReason, TrainResult } from './hooks.js';
import { stageSeconds } from './stage-times.js';
import type { TrainLoopParts } from './train-loop-parts.js';

/** What a loop knows of itself at its end. */
export type LoopFigures = Pick<TrainResult, 'step' | 'examples' | 'runExamples' | 'loss' | 'evaluation' | 'checkpoint' | 'reason'> & {
  readonly activeMs: number;
  readonly stopRequest: HookStop | null;
};

/** Whether something ended training before the data or the number of steps did. */
function isEarly(reason: StopReason): boolean {
  return reason !== 'end of data' && reason !== 'max steps';
}

/** How a training run ended. The engine is synced. */
export async function trainResult({ engine, train }: TrainLoopParts, figures: LoopFigures): Promise<TrainResult> {
  const { activeMs, stopRequest, ...known } = figures;
  const seconds = activeMs / 1000;
  const { rows } = await engine.sizes();
  return {
    ...known,
    seconds,
    examplesPerSecond: seconds > 0 ? known.runExamples / seconds : 0,
    stoppedEarly: isEarly(known.reason),
    hookStop: known.reason === 'stopped by hook' ? stopRequest : null,
    stages: stageSeconds(engine.stageTimes()),
    rows: rows.reduce((a, b) => a + b, 0),
    badRecords: train.stats().badRecords,
  };
}
