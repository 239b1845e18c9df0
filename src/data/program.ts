// A parser's program: what to do with each column, as flat Int32 words, so that the same bytes drive the native parser and its TypeScript
// twin and cross threads without being copied. Keep in step with native/parsers/program.h.
//
//   words      header [32] · groups [numGroups × 2: features, hasValues] · fields [numFields × 2: group or −1, index] (LibFFM)
//              · actions [(numActions + numClosing) × 16] · table of columns (npz) · string ends [numStrings + 1: byte offsets into strings]
//   constants  Float64: transform numbers, boundaries
//   strings    UTF-8: missing texts, positive labels, eval values, TFRecord feature names

export const ProgramFormat = {
  delimited: 1,
  criteoBin: 2,
  libsvm: 3,
  libffm: 4,
  tfrecord: 5,
  instance: 6,
  example: 7,
  exampleBatch: 8,
  rowMajor: 9,
  parquet: 10,
  arrow: 11,
  avro: 12,
  jsonl: 13,
  vw: 14,
  npz: 15,
} as const;

/** Header words. */
export const P = {
  format: 0,
  flags: 1,
  separator: 2,
  columns: 3,
  maxIds: 4,
  numDense: 5,
  numGroups: 6,
  numActions: 7,
  missingFirst: 8,
  missingCount: 9,
  labelType: 10,
  denseType: 11,
  numFields: 12,
  groupsAt: 13,
  fieldsAt: 14,
  actionsAt: 15,
  stringsAt: 16,
  numStrings: 17,
  /** TFRecord, Monolith, JSON lines and Vowpal Wabbit: string number of the first feature name; `columns` names follow. */
  namesFirst: 18,
  /** Longest record in bytes (TFRecord lengths above it are corrupt). */
  maxRecord: 19,
  /** Avro: string number of the schema; codec and marker follow. */
  extraFirst: 20,
  /** npz: bytes of a row, and where the table of its columns begins [columns × NpzWords]. */
  rowBytes: 26,
  tableAt: 27,
  /** Actions behind the others that look at the finished record: labelFilter, sample. */
  numClosing: 31,
  headerWords: 32,
} as const;

export const Flag = {
  requireLabel: 1,
  trim: 2,
  quotes: 4,
  mayLackFirstColumn: 8,
  unitLabel: 16,
  // Monolith's formats: what stands before a message; `bare`: nothing, and each file is one message.
  hasSortId: 32,
  kafkaDump: 64,
  kafkaDumpPrefix: 128,
  lagrangexHeader: 256,
  bare: 512,
} as const;

export const ActionWords = 16;
/** Words of one action. */
export const A = {
  op: 0,
  column: 1,
  dense: 2,
  slot: 3,
  separator: 4,
  maxLength: 5,
  /** 1: a missing value has the id of the empty text (categorical). */
  missingToken: 6,
  constantFirst: 7,
  constantCount: 8,
  transform: 9,
  mode: 10,
  stringFirst: 11,
  stringCount: 12,
  group: 13,
  index: 14,
  /** 1: fids of the data get the action's slot in place of their own. */
  replaceSlot: 15,
} as const;

/** Words of a column's entry in the table of npz. */
export const NpzWords = 5;
export const NpzWord = { type: 0, bigEndian: 1, itemBytes: 2, count: 3, offset: 4 } as const;

export const Op = {
  label: 1,
  weight: 2,
  numeric: 3,
  categorical: 4,
  boundaries: 5,
  log2squared: 6,
  evalValue: 7,
  labelLimit: 8,
  crossPart: 9,
  filter: 10,
  labelFilter: 11,
  sample: 12,
} as const;
export const Transform = { none: 0, log1p: 1, standardize: 2 } as const;
/** Mode of a filter, bits: what its condition has, and whether records that meet it are left out. Constants: lowest, highest, numbers of the list. */
export const FilterMode = { atLeast: 1, atMost: 2, list: 4, leaveOut: 8 } as const;
/** Mode of a crossPart: the last part's action writes the id. Its `transform` is the op that makes ids of the part's values, `dense` its number. */
export const CrossMode = { part: 0, last: 1 } as const;
export const LabelMode = { number: 0, positive: 1, atLeast: 2, greaterThan: 3 } as const;

/** Ids of the log2-squared buckets: whole numbers ≤ 2 keep their value + 1000, x > 2 gets 1024 + ⌊ln(x)²⌋, missing 1023. */
export const Log2Squared = { smallOffset: 1000, smallest: -1000, largeOffset: 1024, largest: 1 << 20, missing: 1023 } as const;

export type Program = {
  readonly words: Int32Array;
  readonly constants: Float64Array;
  readonly strings: Uint8Array;
};

/** Why a record is bad. Keep in step with native/parsers/program.h. */
export const Bad = {
  columns: 1,
  number: 2,
  label: 3,
  weight: 4,
  tooManyIds: 5,
  missingLabel: 6,
  quote: 7,
  pair: 8,
  index: 9,
  field: 10,
  lengthCrc: 11,
  dataCrc: 12,
  truncated: 13,
  tooLong: 14,
  example: 15,
  kind: 16,
  tooManyValues: 17,
  fieldOrder: 18,
  labelRange: 19,
  /** Bit 63 of a v2 fid is set. */
  fid: 20,
  /** Malformed message of Monolith. */
  message: 21,
  /** What stands before a message makes no sense (extra: a value of FrameState): nothing behind it can be found. */
  frame: 22,
  /** A column of a batch has another number of features than the batch has examples. */
  batch: 23,
  batchSize: 24,
  /** No JSON object (extra: a value of JsonProblem). */
  json: 25,
  /** No line of Vowpal Wabbit (extra: a value of VwProblem). */
  vw: 26,
} as const;

/** Words of one entry of the bad list of a parsed block. */
export const BadWords = 8;
export const BadWord = { record: 0, at: 1, line: 2, code: 3, column: 4, tokenStart: 5, tokenEnd: 6, extra: 7 } as const;
/** Entries that a block keeps; further bad records are only flagged. */
export const badListEntries = 16;

/** Flags of one example of a parsed block. */
export const ExampleFlag = {
  bad: 1,
  evaluation: 2,
  /** A filter leaves it out: it has no ids, and weight 0. */
  leftOut: 4,
  /** Subject to the schema's sampling number k: sampled << k, k < 4. */
  sampled: 16,
  anySampled: 0xf0,
} as const;

/** What a parse call reports, in Float64 words so that counts and offsets need no second form. */
export const R = {
  /** Bytes used: at a record's end. */
  consumed: 0,
  records: 1,
  lines: 2,
  bad: 3,
  /** 1: the parsed block was full before the bytes ended. */
  full: 4,
  words: 8,
} as const;
