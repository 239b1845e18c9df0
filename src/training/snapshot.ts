import { MonolithError } from '../base/index.js';
import { type CheckpointReader, CheckpointWriter, type ManifestFields, prune } from '../checkpoint/index.js';
import type { RowStorage } from '../embedding/index.js';
import { optimizerStateLength } from '../kernels/index.js';
import type { TableRows, TrainingEngine } from './engine.js';
import type { TableSpec } from './run-spec.js';
import { bucketBitsOf, decodeRows, encodeHeader, encodeRows, mergeRows, type RowShape, tableSectionName } from './table-section.js';

const PARAMETERS = 'dense.parameters';
const STATE = 'dense.state';

/** Widths of a table's records. */
export function rowShape(table: TableSpec): RowShape {
  let dim = 0;
  let stateLength = 0;
  for (const slice of table.slices) {
    dim += slice.dim;
    stateLength += optimizerStateLength(slice.optimizer.kind, slice.dim);
  }
  return { dim, stateLength };
}

/** What the manifest says of a table. `storage`: how its rows were stored in memory; absent in older checkpoints, which are fp32. */
export type SavedTable = RowShape & {
  readonly name: string;
  readonly rows: number;
  /** Of a delta: rows in its sections, those that have changed since its base. */
  readonly changed?: number;
  readonly storage?: RowStorage;
  readonly sections: readonly string[];
};

export type SnapshotOptions = {
  readonly modelDir: string;
  readonly step: number;
  /** Checkpoints to keep, ≥ 1, and one more to keep besides. */
  readonly keep: number;
  readonly keepStep: number | null;
  /** For the manifest: plain JSON without times or paths of the machine. */
  readonly fields: ManifestFields;
};

/**
 * Writes parameters, optimizer state and every row as one checkpoint and prunes old ones. The engine must be synced. The bytes depend on
 * the trained state alone: not on the number of shards, nor on the order in which rows came to be.
 *
 * @returns path of the manifest.
 * @throws DiskFull, WriteFailed, NonFiniteParameters: then the previous checkpoint is still the newest and nothing of this one is left.
 */
export async function saveSnapshot(engine: TrainingEngine, options: SnapshotOptions): Promise<string> {
  const writer = await CheckpointWriter.begin(options.modelDir, options.step);
  try {
    await engine.fetchDense();
    requireFinite(engine.parameters, (at) => parameterAt(engine, at));
    requireFinite(engine.denseState, (at) => `value ${at} of the optimizer state of the dense parameters`);
    await writer.writeSection(PARAMETERS, bytesOf(engine.parameters));
    await writer.writeSection(STATE, bytesOf(engine.denseState));
    const { rows } = await engine.sizes();
    const tables: SavedTable[] = [];
    for (const [t, table] of engine.spec.tables.entries()) tables.push(await saveTable(engine, writer, t, table, rows[t]));
    const path = await writer.commit({ ...options.fields, tables });
    await prune(options.modelDir, options.keep, options.keepStep);
    await engine.checkpointed(options.step);
    return path;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function saveTable(
  engine: TrainingEngine,
  writer: CheckpointWriter,
  index: number,
  table: TableSpec,
  rows: number,
): Promise<SavedTable> {
  const shape = rowShape(table);
  const width = shape.dim + shape.stateLength;
  const bits = bucketBitsOf(rows);
  const sections: string[] = [];
  for (let bucket = 0; bucket < 2 ** bits; bucket++) {
    const merged = mergeRows(await engine.dump(index, bits, bucket), width);
    requireFinite(merged.records.subarray(0, merged.count * width), (at) => {
      const row = Math.floor(at / width);
      const place = at % width < shape.dim ? `value ${at % width}` : `optimizer state ${(at % width) - shape.dim}`;
      return `table "${table.name}", id ${BigInt.asUintN(64, merged.fids[row])}, ${place}`;
    });
    const name = tableSectionName(table.name, bits, bucket);
    const section = await writer.section(name);
    await section.append(encodeHeader(merged.count, shape));
    for (const bytes of encodeRows(merged, width)) await section.append(bytes);
    await section.close();
    sections.push(name);
  }
  return { name: table.name, ...shape, rows, storage: table.storage, sections };
}

/**
 * Loads a checkpoint into an engine that has just been started: on any number of shards and workers. A delta is its base with the delta's rows over it.
 * @throws CheckpointCorrupt, CheckpointIncompatible naming what differs.
 */
export async function loadSnapshot(engine: TrainingEngine, reader: CheckpointReader): Promise<void> {
  await readInto(reader, PARAMETERS, engine.parameters);
  await readInto(reader, STATE, engine.denseState);
  for (const [t, table] of engine.spec.tables.entries()) await engine.expectRows(t, savedTable(reader, table.name).rows);
  if (reader.base !== null) await loadRows(engine, reader.base);
  await loadRows(engine, reader);
}

async function loadRows(engine: TrainingEngine, reader: CheckpointReader): Promise<void> {
  for (const [t, table] of engine.spec.tables.entries()) {
    for (const name of savedTable(reader, table.name).sections) {
      const section = reader.section(name);
      const bytes = await section.readAll(new Uint8Array(new SharedArrayBuffer(section.bytes)));
      const rows = decodeRows(bytes, rowShape(table), name);
      if (rows.count > 0) await engine.load(t, rows);
    }
  }
}

function savedTable(reader: CheckpointReader, table: string): SavedTable {
  const saved = savedTables(reader);
  const entry = saved.find(({ name }) => name === table);
  if (entry !== undefined) return entry;
  throw new MonolithError(
    'CheckpointIncompatible',
    `checkpoint-${reader.step} has no table "${table}" (it has ${saved.map(({ name }) => name).join(', ')}); train with the model it was made with, or start anew with --fresh`,
    { table },
  );
}

/** The tables that a checkpoint's manifest lists. */
export function savedTables(reader: CheckpointReader): readonly SavedTable[] {
  return (reader.manifest.fields.tables ?? []) as unknown as readonly SavedTable[];
}

/** How the rows of a checkpoint were stored, where storing them as `storage` rounds them; null: they are restored exactly. */
export function roundedFrom(reader: CheckpointReader, storage: RowStorage): RowStorage | null {
  const formats = savedTables(reader).map((table) => table.storage ?? 'fp32');
  return storage === 'fp32' ? null : (formats.find((format) => format !== storage) ?? null);
}

/** Reads the rows of one section, for inspection. */
export async function readTableSection(reader: CheckpointReader, table: SavedTable, section: string): Promise<TableRows> {
  return decodeRows(await reader.section(section).readAll(), table, section);
}

async function readInto(reader: CheckpointReader, name: string, target: Float32Array): Promise<void> {
  const section = reader.section(name);
  if (section.bytes !== target.byteLength) {
    throw new MonolithError(
      'CheckpointIncompatible',
      `checkpoint-${reader.step} section ${name} has ${section.bytes} bytes, the model needs ${target.byteLength}: another model, options or optimizer; train with those of the checkpoint, or start anew with --fresh`,
      { section: name, expected: target.byteLength, actual: section.bytes },
    );
  }
  const bytes = await section.readAll();
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
}

/** A value that is not finite would come back with every resume: no such checkpoint is written, the one before stays the newest. */
function requireFinite(values: Float32Array, nameOf: (index: number) => string): void {
  // Of finite numbers the sum of 0·x is 0; anything else makes it NaN. One pass without a branch a value.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  if (sum === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  throw new MonolithError(
    'NonFiniteParameters',
    `checkpoint not written: ${nameOf(at)} is ${values[at]}. Lower the learning rate or clip gradients, and go on from the last checkpoint`,
    { index: at, value: String(values[at]) },
  );
}

function parameterAt(engine: TrainingEngine, index: number): string {
  const owner = engine.spec.tensors.find(({ offset, length }) => index >= offset && index < offset + length);
  return owner === undefined ? `dense parameter ${index}` : `dense parameter "${owner.name}"[${index - owner.offset}]`;
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
