/** The batch on which a loss was not finite, small enough to look at. */
export type BadBatch = {
  readonly step: number;
  readonly worker: number;
  readonly numExamples: number;
  readonly labels: number[];
  readonly dense: (number | string)[][];
  readonly ids: string[][];
};
