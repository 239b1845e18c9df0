import { formatTextFields, parseTextFields, type TextField, textField, wordField } from './text-format.js';

/** TensorFlow's CheckpointState: which checkpoint was written last, and which there are. */
export type CheckpointState = {
  readonly modelCheckpointPath: string;
  readonly allModelCheckpointPaths: readonly string[];
};

/** Tables of Monolith that a checkpoint may hold. */
export type HashTableType = 'UNKNOWN' | 'CUCKOO_HASH_MAP' | 'MULTI_CUCKOO_HASH_MAP';

/** Monolith's MonolithCheckpointState. */
export type MonolithCheckpointState = {
  /** Checkpoints that retention leaves alone. */
  readonly exemptModelCheckpointPaths: readonly string[];
  /** Seconds since 1970; null when the file does not say. */
  readonly lastCheckpointSaveTimestamp: number | null;
  readonly builtinHashTableType: HashTableType;
};

const MODEL_PATH = 'model_checkpoint_path';
const ALL_PATHS = 'all_model_checkpoint_paths';
const EXEMPT = 'exempt_model_checkpoint_paths';
const TIMESTAMP = 'last_checkpoint_save_timestamp';
const TABLE_TYPE = 'builtin_hash_table_type';
const tableTypes: readonly HashTableType[] = ['UNKNOWN', 'CUCKOO_HASH_MAP', 'MULTI_CUCKOO_HASH_MAP'];

/** The content of a `checkpoint` file, paths as they stand in it; null when it can't be parsed or names no model_checkpoint_path. */
export function parseCheckpointState(text: string): CheckpointState | null {
  const fields = parseTextFields(text);
  const modelCheckpointPath = fields?.findLast(({ name }) => name === MODEL_PATH)?.value ?? '';
  if (fields === null || modelCheckpointPath === '') return null;
  return { modelCheckpointPath, allModelCheckpointPaths: valuesOf(fields, ALL_PATHS) };
}

/** The text of a `checkpoint` file, one field a line. */
export function formatCheckpointState({ modelCheckpointPath, allModelCheckpointPaths }: CheckpointState): string {
  return formatTextFields([
    textField(MODEL_PATH, modelCheckpointPath),
    ...allModelCheckpointPaths.map((path) => textField(ALL_PATHS, path)),
  ]);
}

/** The content of a `monolith_checkpoint` file; null when it can't be parsed. An empty one is a state with nothing set. */
export function parseMonolithCheckpointState(text: string): MonolithCheckpointState | null {
  const fields = parseTextFields(text);
  if (fields === null) return null;
  const timestamp = fields.findLast(({ name }) => name === TIMESTAMP)?.value ?? null;
  return {
    exemptModelCheckpointPaths: valuesOf(fields, EXEMPT),
    lastCheckpointSaveTimestamp: timestamp === null || !Number.isFinite(Number(timestamp)) ? null : Number(timestamp),
    builtinHashTableType: tableTypeOf(fields),
  };
}

/**
 * The text of a `monolith_checkpoint` file with another list of exempt paths, one field a line. A type that is not set becomes CUCKOO_HASH_MAP;
 * everything else in the old text stays. An old text that can't be parsed counts as empty.
 *
 * @param drop tells which exempt paths go.
 * @param add  becomes exempt unless it is; null adds nothing.
 */
export function amendMonolithState(old: string, drop: (path: string) => boolean, add: string | null): string {
  const all = parseTextFields(old) ?? [];
  const hasType = tableTypeOf(all) !== 'UNKNOWN';
  const fields = all.filter(({ name, value }) => {
    if (name === EXEMPT) return value === null || !drop(value);
    return name !== TABLE_TYPE || hasType;
  });
  if (add !== null && !valuesOf(fields, EXEMPT).includes(add)) fields.push(textField(EXEMPT, add));
  if (!hasType) fields.push(wordField(TABLE_TYPE, 'CUCKOO_HASH_MAP'));
  return formatTextFields(fields);
}

function valuesOf(fields: readonly TextField[], wanted: string): string[] {
  return fields.flatMap(({ name, value }) => (name === wanted && value !== null ? [value] : []));
}

function tableTypeOf(fields: readonly TextField[]): HashTableType {
  const value = fields.findLast(({ name }) => name === TABLE_TYPE)?.value ?? 'UNKNOWN';
  return tableTypes.find((type, number) => value === type || value === String(number)) ?? 'UNKNOWN';
}
