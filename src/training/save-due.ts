import type { TrainLoopSettings } from './train-loop-parts.js';

/** Whether a period of seconds is over; one of 0 never is. */
export function isTime(everySeconds: number | undefined, lastMs: number, nowMs: number): boolean {
  return everySeconds !== undefined && everySeconds > 0 && nowMs - lastMs >= everySeconds * 1000;
}

/** Which checkpoint the schedule asks for after `step` steps; a whole one comes before a delta. */
export function saveDue(settings: TrainLoopSettings, step: number, savedAtMs: number, nowMs: number): 'whole' | 'delta' | null {
  const { checkpointEvery, checkpointEverySeconds, deltaEvery = 0 } = settings;
  if (checkpointEvery > 0 && step % checkpointEvery === 0) return 'whole';
  if (isTime(checkpointEverySeconds, savedAtMs, nowMs)) return 'whole';
  return deltaEvery > 0 && step % deltaEvery === 0 ? 'delta' : null;
}
