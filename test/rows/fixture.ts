import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bucketOf, SeededRandom } from '../../src/base/index.js';
import { type BaseReference, CheckpointWriter, type ManifestFields, referenceTo } from '../../src/checkpoint/index.js';
import { type PartialTrainingConfig, resolveConfig } from '../../src/config/index.js';
import { encodeHeader, encodeRows, tableSectionName } from '../../src/training/index.js';

/** Rows of the table of these tests by fid: linear (ftrl, 1 value, 2 of state), embedding (adagrad, 3 values, 3 of state). */
export type Rows = Map<bigint, { readonly lastUsed: number; readonly record: Float32Array }>;

export const DIM = 4;
export const STATE = 5;
const WIDTH = DIM + STATE;

const tables = [
  {
    name: 'linear+embedding',
    features: [0],
    dim: DIM,
    slices: [
      { name: 'linear', dim: 1, role: 'linear', initializer: { kind: 'zeros' }, optimizer: null },
      { name: 'embedding', dim: 3, role: 'embedding', initializer: { kind: 'uniform', low: -0.5, high: 0.5 }, optimizer: null },
    ],
  },
];

/** A new folder for one test; `remove` deletes it. */
export function temporaryModelDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'monolith-local-rows-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Rows with fids of slots 1 to 3 and values of many sizes; depends on the seed alone. */
export function madeRows(count: number, seed: number): Rows {
  const random = new SeededRandom(seed);
  const rows: Rows = new Map();
  while (rows.size < count) {
    const low = (BigInt(random.nextBelow(1 << 16)) << 32n) | BigInt(random.nextUint32());
    const fid = (BigInt(1 + random.nextBelow(3)) << 48n) | low;
    const record = Float32Array.from({ length: WIDTH }, () => (random.nextFloat() - 0.5) * 10 ** (random.nextBelow(7) - 4));
    rows.set(fid, { lastUsed: random.nextBelow(90), record });
  }
  return rows;
}

export type SaveOptions = {
  readonly rows: Rows;
  /** Bits of the bucket numbers: 2^bits sections. */
  readonly bits: number;
  readonly config?: PartialTrainingConfig;
  /** Step of the whole checkpoint that this is a delta of, and its rows in all. */
  readonly base?: { readonly step: number; readonly total: number };
  readonly parameters?: readonly number[];
};

/** Writes a checkpoint as training does, in as many sections as asked for. @returns path of the manifest */
export async function saveRows(modelDir: string, step: number, options: SaveOptions): Promise<string> {
  const { rows, bits, base } = options;
  const writer = await CheckpointWriter.begin(modelDir, step);
  const parameters = Float32Array.from(options.parameters ?? [1, 2, 3, 4]);
  await writer.writeSection('dense.parameters', new Uint8Array(parameters.buffer));
  await writer.writeSection('dense.state', new Uint8Array(64));
  const sections: string[] = [];
  for (let bucket = 0; bucket < 2 ** bits; bucket++) {
    const fids = [...rows.keys()].filter((fid) => bucketOf(fid, bits) === bucket).sort((a, b) => (a < b ? -1 : 1));
    const section = await writer.section(tableSectionName(tables[0].name, bits, bucket));
    await section.append(encodeHeader(fids.length, { dim: DIM, stateLength: STATE }));
    const records = new Float32Array(fids.length * WIDTH);
    for (const [i, fid] of fids.entries()) records.set(rows.get(fid)?.record ?? [], i * WIDTH);
    const timestamps = Uint32Array.from(fids, (fid) => rows.get(fid)?.lastUsed ?? 0);
    for (const bytes of encodeRows({ count: fids.length, fids: BigInt64Array.from(fids), timestamps, records }, WIDTH)) {
      await section.append(bytes);
    }
    await section.close();
    sections.push(section.name);
  }
  const { config } = resolveConfig({
    values: { optimizer: { sparse: { kind: 'adagrad', initialAccumulator: 0.25 }, linear: { kind: 'ftrl' } }, ...options.config },
  });
  const { modelDir: _folder, data: _data, ...kept } = config;
  const counted = base === undefined ? { rows: rows.size } : { rows: base.total, changed: rows.size };
  const fields = {
    model: { name: 'made', tables, parameters: [{ fullName: 'w', shape: [2, 2], offset: 0, length: 4 }], parametersLength: 4 },
    trainer: { step, examples: step * 10, finished: false },
    metrics: { auc: 0.75 },
    config: kept,
    tables: [{ name: tables[0].name, dim: DIM, stateLength: STATE, ...counted, storage: config.embedding.storage, sections }],
  };
  const reference: BaseReference | null = base === undefined ? null : await referenceTo(modelDir, base.step);
  return writer.commit(JSON.parse(JSON.stringify(fields)) as ManifestFields, reference);
}

/** Rows of `base` with those of `delta` over them. */
export function over(base: Rows, delta: Rows): Rows {
  return new Map([...base, ...delta]);
}
