import { MonolithError } from '../../base/index.js';
import type { TrainingConfig } from '../../config/index.js';
import { BatchPipeline, expandFiles, readingOptions } from '../../data/index.js';
import { BatchSlot } from '../../tensor/index.js';
import { type InputOptions, openRecords } from '../input.js';

export type ValidateRequest = InputOptions & {
  readonly files: readonly string[];
  /** A training configuration whose `data` section the records are held against, by the parsers that training uses. */
  readonly config?: TrainingConfig | undefined;
  /** Bad records that are named; the others are only counted. */
  readonly most?: number | undefined;
  readonly progress?: ((rows: number) => void) | undefined;
};

export type BadRecordReport = {
  readonly file: string;
  readonly line: number | null;
  readonly record: number | null;
  readonly byte: number | null;
  readonly field: string | null;
  readonly message: string;
};

export type ValidateResult = {
  readonly good: number;
  readonly bad: number;
  readonly files: readonly {
    readonly path: string;
    readonly good: number;
    readonly bad: number /** Whether reading could not go on. */;
    readonly cut: boolean;
  }[];
  readonly problems: readonly BadRecordReport[];
  readonly findings: readonly string[];
};

/** Errors that say something of the data rather than of the request. */
const dataCodes: ReadonlySet<string> = new Set(['DataFormat', 'RecordCorrupt', 'TooManyBadRecords']);
const BATCH = 512;

/** Reads every record of every file and says which are bad. @throws what is wrong with the request itself */
export async function validateRecords(request: ValidateRequest): Promise<ValidateResult> {
  const { most = 20 } = request;
  const files: ValidateResult['files'][number][] = [];
  const problems: BadRecordReport[] = [];
  let findings: readonly string[] = [];
  let done = 0;
  for (const path of await expandFiles(request.files)) {
    let bad = 0;
    let cut = false;
    let good = 0;
    const onBad = (problem: MonolithError): void => {
      bad++;
      if (problems.length < most) problems.push(report(path, problem));
    };
    const count = (rows: number): void => {
      good += rows;
      done += rows;
      request.progress?.(done);
    };
    try {
      if (request.config === undefined) {
        const input = await openRecords([path], request);
        if (files.length === 0) findings = input.findings;
        for await (const batch of input.batches(onBad)) count(batch.rows);
      } else await holdAgainst(request.config, path, onBad, count);
    } catch (error) {
      if (!(error instanceof MonolithError) || !dataCodes.has(error.code)) throw error;
      cut = true;
      onBad(error);
    }
    files.push({ path, good, bad, cut });
  }
  const sum = (of: (file: ValidateResult['files'][number]) => number): number => files.reduce((total, file) => total + of(file), 0);
  return { good: sum((file) => file.good), bad: sum((file) => file.bad), files, problems, findings };
}

async function holdAgainst(
  config: TrainingConfig,
  path: string,
  onBad: (problem: MonolithError) => void,
  count: (rows: number) => void,
): Promise<void> {
  const { data } = config;
  const pipeline = await BatchPipeline.open({
    ...readingOptions(data),
    files: [path],
    batchSize: BATCH,
    shuffle: 0,
    parseThreads: 0,
    maxBadRecords: Number.MAX_SAFE_INTEGER,
    onBadRecord: onBad,
    // What sampling leaves out is held against the schema too.
    sampling: false,
    allowEmpty: true,
  });
  try {
    const slot = new BatchSlot(pipeline.layout, new SharedArrayBuffer(BatchSlot.byteLength(pipeline.layout)), 0);
    for (let rows = await pipeline.nextStep([slot]); rows > 0; rows = await pipeline.nextStep([slot])) count(rows);
  } finally {
    await pipeline.close();
  }
}

function report(path: string, { message, details }: MonolithError): BadRecordReport {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  const field = details.field ?? details.column;
  return {
    file: typeof details.path === 'string' ? details.path : path,
    line: number(details.line),
    record: number(details.record),
    byte: number(details.byte),
    field: typeof field === 'string' ? field : null,
    message,
  };
}
