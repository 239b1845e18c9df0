import type { BenchOptions } from './request.js';
import type { Measurement } from './result.js';

/** What the code of whole runs is handed. */
export type SuiteRun = {
  readonly options: BenchOptions;
  /** A folder of this run, removed at its end. */
  readonly scratch: string;
  /** Notes a measurement; it is shown at once. */
  add(measurement: Measurement): void;
  talk(text: string): void;
};
