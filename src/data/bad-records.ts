// Bad records as errors: where, what, expected against found, likely cause.
import { type ErrorCode, MonolithError } from '../base/index.js';
import type { PlannedBlock } from './columnar/plan.js';
import type { FileDescription } from './inspect.js';
import { otherSeparator } from './inspect.js';
import { JsonProblem } from './jsonl/scanner.js';
import { monolithProblem } from './monolith/problems.js';
import { isMonolithFormat } from './options.js';
import { Bad, BadWord, BadWords, P, type Program } from './program.js';
import { jsonProblem, vwProblem } from './text-problems.js';

export type BadRecord = {
  /** 1-based number of the record in its file. */
  readonly record: number;
  readonly line: number;
  /** Byte of the record's start in the decompressed stream. */
  readonly byte: number;
  readonly code: number;
  readonly column: number;
  readonly extra: number;
  /** Where the bytes complained of begin, from the record's start. */
  readonly tokenAt: number;
  /** The bytes complained of. */
  readonly token: Uint8Array;
};

/** Reads entry `i` of a bad list. `raw` and `start` are what was parsed; the base numbers are those of its first record. */
export function readBadRecord(
  list: Int32Array,
  i: number,
  raw: Uint8Array,
  start: number,
  base: { readonly record: number; readonly line: number; readonly byte: number },
): BadRecord {
  const at = i * BadWords;
  return {
    record: base.record + list[at + BadWord.record] + 1,
    line: base.line + list[at + BadWord.line],
    byte: base.byte + list[at + BadWord.at],
    code: list[at + BadWord.code],
    column: list[at + BadWord.column],
    extra: list[at + BadWord.extra],
    tokenAt: list[at + BadWord.tokenStart] - list[at + BadWord.at],
    token: raw.slice(
      start + list[at + BadWord.tokenStart],
      start + Math.min(list[at + BadWord.tokenEnd], list[at + BadWord.tokenStart] + 4096),
    ),
  };
}

/** The error that names one bad record. */
export function badRecordError(
  file: FileDescription,
  program: Program,
  bad: BadRecord,
  planned: PlannedBlock | null = null,
): MonolithError {
  const monolith = isMonolithFormat(file.format);
  const binary = ['tfrecord', 'criteo-bin', 'avro', 'npz'].includes(file.format) || monolith;
  const row = monolith && bad.line > 1 ? `, example ${bad.line - 1} of its batch` : '';
  const place =
    planned !== null
      ? plannedPlace(file, planned, bad)
      : binary
        ? `record ${bad.record} at byte ${bad.byte}${row}`
        : `line ${bad.line} (record ${bad.record}, byte ${bad.byte})`;
  const column = columnName(file, program, bad);
  const { code, text } = describe(file, program, bad, column);
  return new MonolithError(code, `${file.info.path} ${place}: ${text}`, {
    path: file.info.path,
    record: bad.record,
    ...(planned === null ? { byte: bad.byte } : { group: planned.group }),
    ...(binary || planned !== null ? {} : { line: bad.line }),
    ...(column === null ? {} : { column }),
  });
}

function plannedPlace({ columnar }: FileDescription, { group, first, firstRecord }: PlannedBlock, { record }: BadRecord): string {
  return `record ${record} (${columnar?.file.groupName ?? 'group'} ${group}, row ${record - firstRecord + first})`;
}

/** The error after `limit` bad records. */
export function tooManyBadRecords(limit: number, last: MonolithError): MonolithError {
  return new MonolithError(
    'TooManyBadRecords',
    `more than ${limit} bad records in this epoch (maxBadRecords); the last one: ${last.message}`,
    { ...last.details, maxBadRecords: limit },
    { cause: last },
  );
}

function columnName(file: FileDescription, program: Program, bad: BadRecord): string | null {
  const aboutColumn: readonly number[] = [
    Bad.number,
    Bad.label,
    Bad.labelRange,
    Bad.weight,
    Bad.tooManyIds,
    Bad.missingLabel,
    Bad.kind,
    Bad.tooManyValues,
    Bad.fid,
    Bad.batch,
    ...(bad.code === Bad.json && bad.extra === JsonProblem.duplicate ? [Bad.json] : []),
  ];
  if (!aboutColumn.includes(bad.code)) return null;
  if (namesItsColumns(file.format)) {
    const number = program.words[P.namesFirst] + bad.column;
    const ends = program.words.subarray(program.words[P.stringsAt]);
    return Buffer.from(program.strings.slice(ends[number], ends[number + 1])).toString('utf8');
  }
  if (file.format === 'libsvm' || file.format === 'libffm') return bad.column === 0 ? 'label' : `pair ${bad.column}`;
  return file.columns?.[bad.column] ?? String(bad.column + 1);
}

/** Formats whose programs name columns that the file does not list. */
function namesItsColumns(format: string): boolean {
  return format === 'tfrecord' || format === 'jsonl' || format === 'vw' || isMonolithFormat(format);
}

function describe(file: FileDescription, program: Program, bad: BadRecord, column: string | null): { code: ErrorCode; text: string } {
  const token = printable(bad.token);
  const where = column === null ? '' : `column "${column}"`;
  const expected = program.words[P.columns];
  const maxIds = program.words[P.maxIds];
  const data = (text: string): { code: ErrorCode; text: string } => ({ code: 'DataFormat', text });
  const corrupt = (text: string): { code: ErrorCode; text: string } => ({ code: 'RecordCorrupt', text });
  if (isMonolithFormat(file.format)) {
    const problem = monolithProblem(program, bad, column);
    if (problem !== null) return problem.corrupt ? corrupt(problem.text) : data(problem.text);
  }
  switch (bad.code) {
    case Bad.columns:
      return data(
        `found ${bad.extra} column${bad.extra === 1 ? '' : 's'}, expected ${expected}. Likely cause: ${columnsCause(file, bad, expected)}`,
      );
    case Bad.number:
      return data(`${where}: ${token} is no number`);
    case Bad.label:
      return data(`label ${where}: ${token} is no finite number. For labels that are words name the positive ones (label.positive)`);
    case Bad.labelRange:
      return data(
        `${where}: label ${labelText(file, bad)}is outside 0 to 1; the model predicts a probability, so labels are 0 to 1: say what counts as positive with label.positive in the schema, or use a model with loss mse`,
      );
    case Bad.weight:
      return data(`weight ${where}: ${token} is no finite number ≥ 0`);
    case Bad.tooManyIds:
      return data(`${where}: ${bad.extra} ids in one example, at most ${maxIds} (maxIdsPerExample)`);
    case Bad.missingLabel:
      return data(`label ${where} is missing. A file without labels can only be used for prediction`);
    case Bad.quote:
      return data('a quoted field is not closed, or text follows its closing quote. A quote inside quotes is written ""');
    case Bad.pair:
      return data(`${token} is no ${file.format === 'libffm' ? 'field:index:value' : 'index:value'}. ${pairCause(file, bad)}`);
    case Bad.index:
      return data(`${token}: the index is above 2^48 − 1`);
    case Bad.field:
      return data(`${token}: field ${bad.extra}, the data have fields 0..${program.words[P.numFields] - 1}. Set numFields`);
    case Bad.lengthCrc:
      return corrupt('the checksum of the length is wrong: the file is damaged here, or it is no TFRecord file');
    case Bad.dataCrc:
      return corrupt('the checksum of the data is wrong: the record is damaged');
    case Bad.truncated:
      return corrupt(truncatedText(file, bad));
    case Bad.tooLong:
      return corrupt(`length ${lengthOf(bad.token)} exceeds ${program.words[P.maxRecord]} bytes (maxRecordBytes)`);
    case Bad.example:
      return data('is no tf.train.Example or SequenceExample (malformed protocol buffer, or a sequence whose steps are of several kinds)');
    case Bad.kind:
      return data(
        `feature "${column}" holds floats; a categorical feature or a list of texts needs bytes or int64. Declare it numeric or bucketized`,
      );
    case Bad.json:
      return data(jsonProblem(bad.extra, token, bad.tokenAt, column));
    case Bad.vw:
      return data(vwProblem(bad.extra, token));
    case Bad.tooManyValues:
      return data(`feature "${column}" holds ${bad.extra} values, one was expected. For a bag set maxLength in the schema`);
    default:
      return data(`bad record (${bad.code})`);
  }
}

/** The label complained of, where the bad bytes show it. */
function labelText(file: FileDescription, { token }: BadRecord): string {
  if (file.format === 'tfrecord' || file.format === 'npz' || isMonolithFormat(file.format)) return '';
  if (file.format !== 'criteo-bin') return `${Buffer.from(token.subarray(0, 40)).toString('latin1')} `;
  const view = new DataView(token.buffer, token.byteOffset, token.length);
  return `${file.labelType === 'float32' ? view.getFloat32(0, true) : view.getInt32(0, true)} `;
}

function columnsCause(file: FileDescription, bad: BadRecord, expected: number): string {
  const other = otherSeparator(bad.token, String.fromCharCode(file.separator));
  if (other !== null) return other;
  if (bad.extra < expected) return 'the line is cut off, or a field holds a line break without quotes';
  return file.format === 'csv' ? 'a field holds the separator without quotes' : 'a field holds the separator';
}

function pairCause(file: FileDescription, bad: BadRecord): string {
  const colons = bad.token.reduce((n, byte) => n + (byte === 58 ? 1 : 0), 0);
  if (file.format === 'libsvm' && colons === 2) return 'Likely cause: the file is LibFFM (format libffm)';
  if (file.format === 'libffm' && colons === 1) return 'Likely cause: the file is LibSVM (format libsvm)';
  return 'Pairs are separated by spaces';
}

function truncatedText(file: FileDescription, bad: BadRecord): string {
  if (file.format === 'npz') return `the rows end ${bad.extra} bytes into one`;
  if (file.format === 'criteo-bin') return `the file ends ${bad.extra} bytes into a record of 160 bytes; are headerBytes right?`;
  const left = file.info.size === null ? bad.token.length : file.info.size - bad.byte;
  if (left < 12) return `the file ends ${left} bytes into a record header of 12 bytes`;
  return `length ${lengthOf(bad.token)} exceeds the ${left - 12} bytes left in the file`;
}

function lengthOf(token: Uint8Array): string {
  if (token.length < 8) return '?';
  return String(new DataView(token.buffer, token.byteOffset, token.length).getBigUint64(0, true));
}

function printable(token: Uint8Array): string {
  const text = JSON.stringify(Buffer.from(token.subarray(0, 40)).toString('utf8'));
  return token.length > 40 ? `${text.slice(0, -1)}…"` : text;
}
