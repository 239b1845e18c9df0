// One table in text and in Parquet: what both train to must be the same to the bit.
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { type ColumnarTarget, createColumnarFile, type WriteField } from '../../src/columnar/index.js';
import type { FeatureSchema } from '../../src/features/index.js';

export type TableRow = {
  readonly y: number;
  readonly w: number;
  readonly x: number | null;
  readonly a: string | null;
  readonly big: bigint | null;
  readonly tags: readonly string[] | null;
  readonly ids: readonly bigint[] | null;
  readonly z: number | null;
  readonly on: boolean;
  readonly part: string;
};

const words = ['red', 'grün', '日本', '?', ' blue ', '', 'e\u0301'];

/** Deterministic rows with every kind of column, missing values and extremes. */
export function tableRows(count: number): TableRow[] {
  const bigs = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 0n, -1n];
  return Array.from({ length: count }, (_, i) => ({
    y: i % 3 === 0 ? 1 : 0,
    w: (i % 4) + 0.5,
    x: i % 5 === 4 ? null : (i * 37) / 8 - 20,
    a: i % 11 === 3 ? null : words[i % words.length],
    big: i % 7 === 6 ? null : (bigs[i % bigs.length] as bigint),
    tags: i % 6 === 5 ? null : Array.from({ length: i % 4 }, (_, k) => `t${(i * 7 + k) % 13}`),
    ids: Array.from({ length: i % 3 }, (_, k) => BigInt(i * 1000 + k)),
    z: i % 9 === 8 ? null : (i * 11) % 150,
    on: i % 2 === 0,
    part: i % 10 < 3 ? 'eval' : 'train',
  }));
}

export const tableSchema: FeatureSchema = {
  label: { column: 'y' },
  weight: { column: 'w' },
  features: [
    { name: 'x', type: 'numeric', transform: 'log1p', missing: -1 },
    { name: 'a', type: 'categorical' },
    { name: 'big', type: 'categorical' },
    { name: 'tags', type: 'categorical', separator: '|', maxLength: 3 },
    { name: 'ids', type: 'categorical', separator: '|' },
    { name: 'z', type: 'bucketized', boundaries: [0, 10, 100] },
    { name: 'z_number', column: 'z', type: 'numeric' },
    { name: 'on', type: 'categorical' },
  ],
};

export function tableCsv(rows: readonly TableRow[]): string {
  const lines = rows.map(({ y, w, x, a, big, tags, ids, z, on, part }) =>
    [y, w, x ?? '', a ?? '', big ?? '', (tags ?? []).join('|'), (ids ?? []).join('|'), z ?? '', on ? 1 : 0, part].join(','),
  );
  return `y,w,x,a,big,tags,ids,z,on,part\n${lines.join('\n')}\n`;
}

export type ParquetForm = {
  readonly rowGroupSize?: number;
  readonly pageSize?: number;
  readonly codec?: 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP' | 'ZSTD' | 'BROTLI';
  readonly compressors?: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>>;
  readonly textEncoding?: 'PLAIN' | 'RLE_DICTIONARY' | 'DELTA_BYTE_ARRAY' | 'DELTA_LENGTH_BYTE_ARRAY';
};

/** The rows as Parquet, with a column `unused` that no schema names. */
export function tableParquet(rows: readonly TableRow[], form: ParquetForm = {}): Uint8Array {
  const writer = new ByteWriter();
  const list = (name: string, element: object): object[] => [
    { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'REQUIRED', ...element },
  ];
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  const schema = [
    { name: 'root', num_children: 11 },
    { name: 'unused', repetition_type: 'OPTIONAL', ...text },
    { name: 'y', repetition_type: 'REQUIRED', type: 'INT32' },
    { name: 'w', repetition_type: 'REQUIRED', type: 'DOUBLE' },
    { name: 'x', repetition_type: 'OPTIONAL', type: 'DOUBLE' },
    { name: 'a', repetition_type: 'OPTIONAL', ...text },
    { name: 'big', repetition_type: 'OPTIONAL', type: 'INT64' },
    ...list('tags', text),
    ...list('ids', { type: 'INT64' }),
    { name: 'z', repetition_type: 'OPTIONAL', type: 'INT32' },
    { name: 'on', repetition_type: 'REQUIRED', type: 'BOOLEAN' },
    { name: 'part', repetition_type: 'REQUIRED', ...text },
  ];
  const column = (name: keyof TableRow): unknown[] => rows.map((row) => row[name]);
  const encoding = form.textEncoding === undefined ? {} : { encoding: form.textEncoding };
  void parquetWrite({
    writer,
    schema: schema as never,
    columnData: [
      { name: 'unused', data: rows.map((_, i) => `unused ${i} ${'x'.repeat(50)}`) },
      ...(['y', 'w', 'x'] as const).map((name) => ({ name, data: column(name) })),
      { name: 'a', data: column('a'), ...encoding },
      ...(['big', 'tags', 'ids', 'z', 'on', 'part'] as const).map((name) => ({ name, data: column(name) })),
    ] as never,
    rowGroupSize: form.rowGroupSize ?? 400,
    pageSize: form.pageSize ?? 1024,
    codec: form.codec ?? 'SNAPPY',
    ...(form.compressors === undefined ? {} : { compressors: form.compressors as never }),
  });
  return new Uint8Array(writer.getBuffer());
}

const writeFields: readonly WriteField[] = [
  { name: 'unused', kind: 'text', isList: false },
  { name: 'y', kind: 'int64', isList: false },
  { name: 'w', kind: 'float64', isList: false },
  { name: 'x', kind: 'float64', isList: false },
  { name: 'a', kind: 'text', isList: false },
  { name: 'big', kind: 'int64', isList: false },
  { name: 'tags', kind: 'text', isList: true },
  { name: 'ids', kind: 'int64', isList: true },
  { name: 'z', kind: 'int64', isList: false },
  { name: 'on', kind: 'int64', isList: false },
  { name: 'part', kind: 'text', isList: false },
];

/** The rows through one of our writers. */
export async function writeTable(path: string, rows: readonly TableRow[], target: ColumnarTarget): Promise<string> {
  const writer = await createColumnarFile(target, path, writeFields);
  await writer.write(
    rows.length,
    writeFields.map(({ name, kind, isList }) => {
      const cells = rows.map((row, i) => (name === 'unused' ? `unused ${i}` : row[name as keyof TableRow]));
      const offsets = new Uint32Array(rows.length + 1);
      const flat = cells.flatMap((cell) => (cell === null ? [] : isList ? (cell as readonly unknown[]) : [cell]));
      cells.forEach((cell, i) => {
        offsets[i + 1] = offsets[i] + (cell === null ? 0 : isList ? (cell as readonly unknown[]).length : 1);
      });
      const missing = Uint8Array.from(cells, (cell) => (cell === null ? 1 : 0));
      const values =
        kind === 'int64'
          ? BigInt64Array.from(flat as number[], (value) => BigInt(value))
          : kind === 'float64'
            ? Float64Array.from(flat as number[])
            : (flat as string[]);
      return { offsets, missing, values };
    }),
  );
  await writer.close();
  return path;
}
