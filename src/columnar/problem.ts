import { MonolithError } from '../base/index.js';

/** Where in a columnar file something is wrong. */
export type ColumnarPlace = {
  readonly path: string;
  /** "row group 3", "record batch 0", "block 12 at byte 81920" */
  readonly part?: string;
  readonly column?: string;
};

function text({ path, part, column }: ColumnarPlace): string {
  return `${path}${part === undefined ? '' : ` ${part}`}${column === undefined ? '' : `, column "${column}"`}`;
}

/** Bytes that can't be right. */
export function damaged(place: ColumnarPlace, what: string, cause?: unknown): MonolithError {
  const hint = 'The file is damaged or was cut off: fetch or write it again';
  return new MonolithError('RecordCorrupt', `${text(place)}: ${what}. ${hint}`, { ...place }, cause === undefined ? {} : { cause });
}

/** Something that is right but not read here. */
export function unsupported(place: ColumnarPlace, what: string): MonolithError {
  return new MonolithError('DataFormat', `${text(place)}: ${what}`, { ...place });
}

/** Runs a library's decoder: what it throws over bytes that it can't make sense of becomes one of our errors. */
export function guarded<T>(place: ColumnarPlace, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MonolithError) throw error;
    throw damaged(place, `${what} (${error instanceof Error ? error.message : String(error)})`, error);
  }
}
