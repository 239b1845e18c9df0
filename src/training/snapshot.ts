import { MonolithError } from '../base/index.js';
import { type CheckpointReader, CheckpointWriter, type ManifestFields, prune } from '../checkpoint/index.js';
import type { RowStorage } from '../embedding/index.js';
import {
  bucketBitsOf,
  bytesOf,
  decodeRows,
  encodeHeader,
  encodeRows,
  mergeRows,
  nameOfValue,
  PARAMETERS,
  parameterAt,
  requireFinite,
  rowShape,
  type SavedTable,
  STATE,
  type TableRows,
  type TableSpec,
  tableSectionName,
} from '../steps/index.js';
import type { TrainingEngine } from './engine.js';

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
 * the trained state alone: not on the number of shards, nor on the order in which rows came to be. Training stands still meanwhile; where it need
 * not, {@link writeFrozen} writes the same bytes.
 *
 * @returns path of the manifest.
 * @throws DiskFull, WriteFailed, NonFiniteParameters: then the previous checkpoint is still the newest and nothing of this one is left.
 */
export async function saveSnapshot(engine: TrainingEngine, options: SnapshotOptions): Promise<string> {
  const writer = await CheckpointWriter.begin(options.modelDir, options.step);
  try {
    await engine.fetchDense();
    requireFinite(options.step, engine.parameters, (at) => parameterAt(engine.spec, at));
    requireFinite(options.step, engine.denseState, (at) => `value ${at} of the optimizer state of the dense parameters`);
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
    requireFinite(writer.step, merged.records.subarray(0, merged.count * width), (at) =>
      nameOfValue(table, shape, merged.fids[Math.floor(at / width)], at % width),
    );
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
  else await loadRows(engine, reader);
  // Changes count from the last whole checkpoint: the rows of a delta are some.
  await engine.forgetChanges();
  if (reader.base !== null) await loadRows(engine, reader);
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
