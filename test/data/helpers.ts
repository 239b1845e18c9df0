import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { maskedCrc32c } from '../../src/base/index.js';
import { BatchPipeline, type DataPosition, type PipelineOptions } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { BatchSlot } from '../../src/tensor/index.js';

/** A folder that is gone after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'monolith-data-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function write(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The folder of data sets of others, or null: MONOLITH_LOCAL_SHARED_DATA or ../shared/data beside the repository. */
export function sharedData(): string | null {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const candidates = [process.env.MONOLITH_LOCAL_SHARED_DATA, join(root, '../shared/data'), join(root, '../../shared/data')];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? null;
}

/** One example as plain values, the form in which tests compare. */
export type Row = {
  readonly label: number;
  readonly weight: number;
  readonly dense: number[];
  readonly bags: string[][];
  readonly values: number[];
};

export function slotsFor(pipeline: BatchPipeline, workers: number): BatchSlot[] {
  return Array.from(
    { length: workers },
    () => new BatchSlot(pipeline.layout, new SharedArrayBuffer(BatchSlot.byteLength(pipeline.layout)), 0),
  );
}

export function rowsOf(slot: BatchSlot): Row[] {
  const { numDense, groups } = slot.layout;
  return Array.from({ length: slot.numExamples }, (_, i) => {
    const bags: string[][] = [];
    const values: number[] = [];
    groups.forEach(({ numFeatures }, g) => {
      const group = slot.groups[g];
      for (let j = 0; j < numFeatures; j++) {
        const from = group.offsets[i * numFeatures + j];
        const to = group.offsets[i * numFeatures + j + 1];
        bags.push([...group.fids.subarray(from, to)].map(String));
        if (group.values !== null) values.push(...group.values.subarray(from, to));
      }
    });
    return {
      label: slot.labels[i],
      weight: slot.weights[i],
      dense: [...slot.dense.subarray(i * numDense, (i + 1) * numDense)],
      bags,
      values,
    };
  });
}

/** A hash of everything a step wrote. */
export function stepHash(slots: readonly BatchSlot[]): string {
  const hash = createHash('sha1');
  for (const slot of slots) {
    hash.update(slot.header);
    hash.update(slot.labels.subarray(0, slot.numExamples));
    hash.update(slot.weights.subarray(0, slot.numExamples));
    hash.update(slot.dense.subarray(0, slot.numExamples * slot.layout.numDense));
    slot.groups.forEach((group, g) => {
      hash.update(group.fids.subarray(0, slot.numIds(g)));
      hash.update(group.offsets.subarray(0, slot.numExamples * slot.layout.groups[g].numFeatures + 1));
      if (group.values !== null) hash.update(group.values.subarray(0, slot.numIds(g)));
    });
  }
  return hash.digest('hex');
}

export async function withPipeline<T>(options: Partial<PipelineOptions>, use: (pipeline: BatchPipeline) => Promise<T>): Promise<T> {
  const pipeline = await BatchPipeline.open({ parseThreads: 0, ...options });
  try {
    return await use(pipeline);
  } finally {
    await pipeline.close();
  }
}

export async function readRows(options: Partial<PipelineOptions>): Promise<Row[]> {
  return withPipeline(options, async (pipeline) => {
    const slots = slotsFor(pipeline, options.workers ?? 1);
    const rows: Row[] = [];
    while ((await pipeline.nextStep(slots)) > 0) rows.push(...slots.flatMap(rowsOf));
    return rows;
  });
}

/** Every step's hash, with the position before it. */
export async function readSteps(
  options: Partial<PipelineOptions>,
  from?: DataPosition,
): Promise<{ hashes: string[]; positions: DataPosition[]; sizes: number[]; bad: number }> {
  return withPipeline(options, async (pipeline) => {
    if (from !== undefined) await pipeline.seek(from);
    const slots = slotsFor(pipeline, options.workers ?? 1);
    const hashes: string[] = [];
    const positions: DataPosition[] = [];
    const sizes: number[] = [];
    for (;;) {
      positions.push(JSON.parse(JSON.stringify(pipeline.position)) as DataPosition);
      const count = await pipeline.nextStep(slots);
      if (count === 0) return { hashes, positions, sizes, bad: pipeline.stats().badRecords };
      hashes.push(stepHash(slots));
      sizes.push(count);
    }
  });
}

/** TFRecord frames around payloads. */
export function frames(payloads: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    payloads.map((payload) => {
      const frame = Buffer.alloc(payload.length + 16);
      frame.writeBigUInt64LE(BigInt(payload.length), 0);
      frame.writeUInt32LE(maskedCrc32c(frame.subarray(0, 8)), 8);
      frame.set(payload, 12);
      frame.writeUInt32LE(maskedCrc32c(payload), 12 + payload.length);
      return frame;
    }),
  );
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

function field(number: number, bytes: Uint8Array | readonly number[]): number[] {
  return [...varint(BigInt(number * 8 + 2)), ...varint(BigInt(bytes.length)), ...bytes];
}

export type ExampleValue = { bytes: readonly string[] } | { floats: readonly number[] } | { ints: readonly bigint[] } | null;

function feature(value: ExampleValue): number[] {
  if (value === null) return [];
  if ('bytes' in value)
    return field(
      1,
      value.bytes.flatMap((text) => field(1, Buffer.from(text))),
    );
  if ('floats' in value) return field(2, field(1, new Uint8Array(Float32Array.from(value.floats).buffer)));
  return field(3, field(1, value.ints.flatMap(varint)));
}

function entry(name: string, value: readonly number[]): number[] {
  return field(1, [...field(1, Buffer.from(name)), ...field(2, value)]);
}

/** A tf.train.Example; null is a feature with an empty kind. */
export function example(features: Readonly<Record<string, ExampleValue>>): Uint8Array {
  const entries = Object.entries(features).flatMap(([name, value]) => entry(name, feature(value)));
  return Uint8Array.from(field(1, entries));
}

/** A tf.train.SequenceExample: features of the context, and feature lists with one value of this type a step. */
export function sequenceExample(
  context: Readonly<Record<string, ExampleValue>>,
  lists: Readonly<Record<string, readonly ExampleValue[]>>,
): Uint8Array {
  const entries = Object.entries(lists).flatMap(([name, steps]) =>
    entry(
      name,
      steps.flatMap((step) => field(1, feature(step))),
    ),
  );
  return Uint8Array.from([...example(context), ...field(2, entries)]);
}

/** label, a number, two categories, one bag: enough to see every kind of column. */
export const smallSchema: FeatureSchema = {
  label: { column: 'y' },
  features: [
    { name: 'x', type: 'numeric', transform: 'log1p' },
    { name: 'a', type: 'categorical' },
    { name: 'tags', type: 'categorical', separator: '|', maxLength: 4 },
    { name: 'z', type: 'bucketized', boundaries: [0, 10, 100] },
  ],
};

/** Deterministic rows for smallSchema. */
export function smallCsv(rows: number, header = true): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const tags = Array.from({ length: i % 4 }, (_, k) => `t${(i * 7 + k) % 13}`).join('|');
    return `${i % 3 === 0 ? 1 : 0},${(i * 37) % 101},user${i % 17},${tags},${(i * 11) % 150}`;
  });
  return `${[...(header ? ['y,x,a,tags,z'] : []), ...lines].join('\n')}\n`;
}
