// The footer of a Parquet file: its columns and row groups, checked against the file before anything is made of them.
import type { ColumnMetaData, FileMetaData, SchemaElement } from 'hyparquet';
import type { ColumnField, ColumnKind } from './columns.js';
import { damaged, guarded, unsupported } from './problem.js';
import { checkThriftStruct } from './thrift.js';

/** A longer footer is refused: objects made of it would take some fifty times its size. */
const MOST_FOOTER_BYTES = 64 << 20;
const MAGIC_BYTES = 4;
const TAIL_BYTES = 8;
const MOST_NESTING = 32;

export type ParquetLeaf = ColumnField & {
  readonly element: SchemaElement;
  /** Levels of a value that is there. */
  readonly maxDefinition: number;
  readonly maxRepetition: number;
  /** Definition level from which on the row's list, or its one value, is not missing: a list may be empty still. */
  readonly presentLevel: number;
};

export type ParquetChunk = {
  readonly codec: ColumnMetaData['codec'];
  readonly start: number;
  readonly end: number;
  readonly numValues: number;
  readonly uncompressedBytes: number;
  readonly hasOffsetIndex: boolean;
  readonly statistics: ColumnMetaData['statistics'] | null;
};

export type ParquetGroup = {
  readonly rows: number;
  readonly firstRow: number;
  readonly bytes: number;
  readonly chunks: readonly ParquetChunk[];
};

export type ParquetFooter = { readonly leaves: readonly ParquetLeaf[]; readonly groups: readonly ParquetGroup[]; readonly rows: number };

/** Bytes [at, at + length) of a file; fewer where it ends. */
export type ReadAt = (at: number, length: number) => Promise<Uint8Array>;

/** @throws RecordCorrupt, DataFormat. */
export async function readParquetFooter(path: string, size: number, readAt: ReadAt): Promise<ParquetFooter> {
  const place = { path, part: 'footer' };
  if (size < MAGIC_BYTES + TAIL_BYTES) throw damaged(place, `a file of ${size} bytes is too short for Parquet`);
  const tail = await readAt(size - TAIL_BYTES, TAIL_BYTES);
  const magic = Buffer.from(tail.subarray(4)).toString('latin1');
  if (magic === 'PARE') throw unsupported({ path }, 'its footer is encrypted: encrypted Parquet is not read');
  if (magic !== 'PAR1') throw damaged(place, 'the file does not end with PAR1');
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - MAGIC_BYTES - TAIL_BYTES) {
    throw damaged(place, `a length of ${length} bytes exceeds the ${size - MAGIC_BYTES - TAIL_BYTES} bytes before it`);
  }
  if (length > MOST_FOOTER_BYTES)
    throw unsupported(place, `${length} bytes, at most ${MOST_FOOTER_BYTES} are read: write larger row groups`);
  // Memory of its own, since the library looks at what lies around.
  const bytes = Uint8Array.from(await readAt(size - TAIL_BYTES - length, length + TAIL_BYTES));
  if (bytes.length !== length + TAIL_BYTES) throw damaged(place, 'it became shorter while it was read');
  guarded(place, 'malformed', () => checkThriftStruct(bytes, 0, length));
  const { parquetMetadata } = await import('hyparquet');
  const metadata = guarded(place, 'malformed', () => parquetMetadata(bytes, { parsers: rawParsers, geoparquet: false }));
  return guarded(place, 'malformed', () => checkMetadata(path, size, metadata));
}

const asIs = <T>(value: T): T => value;
/** Statistics stay what they are in the file. */
const rawParsers = {
  timestampFromMilliseconds: asIs,
  timestampFromMicroseconds: asIs,
  timestampFromNanoseconds: asIs,
  dateFromDays: asIs,
  stringFromBytes: asIs,
} as never;

function checkMetadata(path: string, size: number, metadata: FileMetaData): ParquetFooter {
  const leaves = schemaLeaves(path, metadata.schema);
  const groups: ParquetGroup[] = [];
  let rows = 0;
  metadata.row_groups.forEach((group, g) => {
    const place = { path, part: `row group ${g}` };
    const count = Number(group.num_rows);
    if (!(count >= 0 && count <= 0x7fffffff)) throw damaged(place, `${group.num_rows} rows`);
    if (group.columns.length !== leaves.length) {
      throw damaged(place, `${group.columns.length} columns, the schema has ${leaves.length}`);
    }
    const chunks = group.columns.map((column, i) => {
      const leaf = leaves[i];
      const where = { ...place, column: leaf.name };
      if (column.file_path !== undefined)
        throw unsupported(where, `its bytes lie in another file (${column.file_path}), which is not read`);
      const meta = column.meta_data;
      if (meta === undefined) throw unsupported(where, 'it has no metadata; encrypted columns are not read');
      const first = meta.dictionary_page_offset !== undefined && meta.dictionary_page_offset > 0n ? meta.dictionary_page_offset : null;
      // Some writers leave the dictionary's place out, or put it behind the data's.
      const start = Number(first !== null && first < meta.data_page_offset ? first : meta.data_page_offset);
      const end = start + Number(meta.total_compressed_size);
      if (!(start >= MAGIC_BYTES && end >= start && end <= size - TAIL_BYTES)) {
        throw damaged(where, `its bytes ${start} to ${end} lie outside the file of ${size} bytes`);
      }
      const numValues = Number(meta.num_values);
      if (!(numValues >= 0 && numValues <= 0x7fffffff)) throw damaged(where, `${meta.num_values} values`);
      if (leaf.maxRepetition === 0 && numValues !== count) throw damaged(where, `${numValues} values in ${count} rows`);
      if (meta.type !== leaf.element.type) throw damaged(where, `its type is ${meta.type}, the schema says ${leaf.element.type}`);
      return {
        codec: meta.codec,
        start,
        end,
        numValues,
        uncompressedBytes: Number(meta.total_uncompressed_size),
        hasOffsetIndex: (column.offset_index_length ?? 0) > 0,
        statistics: meta.statistics ?? null,
      };
    });
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.end - chunk.start, 0);
    groups.push({ rows: count, firstRow: rows, bytes, chunks });
    rows += count;
  });
  if (Number(metadata.num_rows) !== rows) {
    throw damaged({ path, part: 'footer' }, `${metadata.num_rows} rows, the row groups have ${rows}`);
  }
  return { leaves, groups, rows };
}

/** The leaves of the schema in the order of their chunks. */
function schemaLeaves(path: string, schema: readonly SchemaElement[]): ParquetLeaf[] {
  const leaves: ParquetLeaf[] = [];
  const names = new Set<string>();
  let next = 1;
  const visit = (parents: readonly SchemaElement[]): void => {
    const element = schema[next++];
    if (element === undefined) throw new Error('the schema ends before its tree does');
    if (parents.length > MOST_NESTING) throw new Error(`columns are nested more than ${MOST_NESTING} deep`);
    const chain = [...parents, element];
    const children = element.num_children ?? 0;
    if (children > 0) {
      for (let i = 0; i < children; i++) visit(chain);
      return;
    }
    // A group without columns has no chunk.
    if (element.type === undefined) return;
    const leaf = leafOf(chain);
    if (names.has(leaf.name)) throw unsupported({ path, column: leaf.name }, 'two columns have this name');
    names.add(leaf.name);
    leaves.push(leaf);
  };
  for (let i = 0; i < (schema[0]?.num_children ?? 0); i++) visit([]);
  if (next !== schema.length) throw new Error(`${schema.length} schema elements, the tree has ${next}`);
  return leaves;
}

function leafOf(chain: readonly SchemaElement[]): ParquetLeaf {
  const element = chain[chain.length - 1];
  let definition = 0;
  let repetition = 0;
  let present = -1;
  const names: string[] = [];
  chain.forEach((part, i) => {
    const repeated = part.repetition_type === 'REPEATED';
    if (repeated) {
      if (present < 0) present = definition;
      repetition++;
    }
    if (part.repetition_type !== 'REQUIRED') definition++;
    if (!isWrapper(chain, i)) names.push(part.name);
  });
  const name = names.join('.');
  return {
    name,
    kind: kindOf(element),
    listDepth: repetition,
    element,
    maxDefinition: definition,
    maxRepetition: repetition,
    presentLevel: present < 0 ? definition : present,
  };
}

/** The groups that Parquet's lists and maps are made of, and that nobody wants to name: `tags.list.element` is `tags`. */
function isWrapper(chain: readonly SchemaElement[], i: number): boolean {
  const isList = (part: SchemaElement | undefined): boolean => part?.converted_type === 'LIST' || part?.logical_type?.type === 'LIST';
  const isMap = (part: SchemaElement | undefined): boolean =>
    part?.converted_type === 'MAP' || part?.converted_type === 'MAP_KEY_VALUE' || part?.logical_type?.type === 'MAP';
  if (i === 0) return false;
  if (isList(chain[i - 1]) || isMap(chain[i - 1])) return true;
  // The element of a three-level list.
  return i > 1 && isList(chain[i - 2]) && chain[i - 1].repetition_type === 'REPEATED' && (chain[i - 1].num_children ?? 0) === 1;
}

export function isDecimal({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL';
}

function kindOf({ type, converted_type: converted, logical_type: logical }: SchemaElement): ColumnKind {
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL' || logical?.type === 'UUID') return 'text';
  if (logical?.type === 'FLOAT16') return 'float32';
  switch (type) {
    case 'FLOAT':
      return 'float32';
    case 'DOUBLE':
      return 'float64';
    case 'BYTE_ARRAY':
    case 'FIXED_LEN_BYTE_ARRAY': {
      const text = ['UTF8', 'ENUM', 'JSON'].includes(converted ?? '') || ['STRING', 'ENUM', 'JSON'].includes(logical?.type ?? '');
      return text ? 'text' : 'bytes';
    }
    default:
      return 'integer';
  }
}
