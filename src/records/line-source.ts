import { MonolithError } from '../base/index.js';
import { BatchBuilder, type FieldValue } from './batch-builder.js';
import type { RecordBatch, RecordField, RecordSource } from './record-batch.js';
import { textLines } from './text-lines.js';

const BATCH_ROWS = 2048;
const BATCH_CHARACTERS = 4 << 20;

/** The values of one line, a list a field, null where the field is missing; null for a line that is no record. @throws MonolithError without place. */
export type ParseLine = (text: string) => readonly (readonly FieldValue[] | null)[] | null;

/** Reads files with one record a line. */
export class LineSource implements RecordSource {
  private onBad: ((problem: MonolithError) => void) | null = null;

  constructor(
    readonly path: string,
    readonly fields: readonly RecordField[],
    readonly findings: readonly string[],
    private readonly parse: ParseLine,
  ) {}

  tolerate(onBad: (problem: MonolithError) => void): void {
    this.onBad = onBad;
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const builder = new BatchBuilder(this.fields);
    let characters = 0;
    for await (const { text, line, byte } of textLines(this.path)) {
      try {
        const values = this.parse(text);
        if (values === null) continue;
        values.forEach((list, column) => {
          if (list === null) return;
          builder.setPresent(column);
          for (const value of list) builder.add(column, value);
        });
        builder.endRow();
      } catch (error) {
        const problem = placed(this.path, line, byte, error);
        if (this.onBad === null) throw problem;
        this.onBad(problem);
      }
      characters += text.length;
      if (builder.rows < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
      characters = 0;
      if (builder.rows > 0) yield builder.take();
    }
    if (builder.rows > 0) yield builder.take();
  }

  /** Every batches() closes its own file. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

function placed(path: string, line: number, byte: number, error: unknown): MonolithError {
  if (!(error instanceof MonolithError)) throw error;
  return new MonolithError(error.code, `${path} line ${line} (byte ${byte}): ${error.message}`, { ...error.details, path, line, byte });
}
