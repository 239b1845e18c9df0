export { type BannerInfo, banner } from './banner.js';
export { eventFileName, writeEventFile } from './event-file.js';
export { type ProgressOptions, ProgressReporter, type ProgressUpdate, progressLine } from './progress.js';
export { alignedTable, evaluationLine, namedFigures, type RunResult, resultText, windowLine } from './result.js';
export {
  type CheckpointEvent,
  checkpointEvent,
  type DoneEvent,
  doneEvent,
  type EvalEvent,
  type EvalFigures,
  evalEvent,
  evalFigures,
  eventLine,
  type Figure,
  type ProgressEvent,
  progressEvent,
  type RunEvent,
  type StartEvent,
  startEvent,
  type WindowFigures,
  windowEvent,
} from './run-events.js';
export { RunLog, type RunLogOptions } from './run-log.js';
export { encodeEvent, FILE_VERSION, frameRecord, type Scalar, type TensorBoardEvent } from './tensorboard-event.js';
export { decodeEvent, readEvents } from './tensorboard-reader.js';
export { bytesText, compact, counted, durationText, figureText, grouped, printable, wantsColor } from './text.js';
