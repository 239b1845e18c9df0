export {
  type CheckpointDiff,
  denseValues,
  diffCheckpoints,
  type OptionDiff,
  type ParameterDiff,
  type TableDiff,
  valuesOf,
} from './diff.js';
export type { DistributionSummary } from './distribution.js';
export { type ExportedTable, type ExportFormat, type ExportOptions, exportFormats, exportText, exportToFolder } from './export.js';
export { readGivenRows } from './given-rows.js';
export type { GivenRows } from './given-text.js';
export { type ExistingRows, existingChoices, type ImportResult, importRows } from './import.js';
export { type FidReport, type FoundRow, findRows, parseFid } from './one-row.js';
export {
  openSaved,
  type SavedParameter,
  type SavedRun,
  type SavedSlice,
  savedRun,
  slicesOfPlan,
  type TableOfCheckpoint,
  tableNamed,
} from './saved-run.js';
export { type ListedRow, type SliceSummary, summariseTable, type TableSummary } from './table-summary.js';
