// One column chunk of a row group, read from row to row.
import type { PageHeader } from 'hyparquet';
import { type ColumnValues, type DecodedColumn, joinValues, Texts, takeValues } from './columns.js';
import { crc32 } from './crc32.js';
import { HybridDecoder } from './hybrid.js';
import type { ParquetChunk, ParquetLeaf } from './parquet-footer.js';
import { decodeValues, MOST_PAGE_BYTES, type PageDecoders } from './parquet-values.js';
import { type ColumnarPlace, damaged, guarded } from './problem.js';
import { checkThriftStruct } from './thrift.js';

/** Values of one page beyond this are refused: a few bytes may stand for any number of them. */
const MOST_PAGE_VALUES = 1 << 24;
/** Bytes read at once to find a page's header; a longer one, with long statistics, is read again. */
const HEADER_BYTES = 4096;
const MOST_HEADER_BYTES = 16 << 20;

/** Bytes [at, at + length) of the file, at once; fewer where it ends. */
export type ReadSync = (at: number, length: number) => Uint8Array;

type Page = {
  readonly numValues: number;
  /** [numValues] levels; null where all values are there, or no lists are. */
  readonly definition: Uint8Array | null;
  readonly repetition: Uint8Array | null;
  readonly indices: HybridDecoder | null;
  readonly values: ColumnValues | null;
  /** Levels, and values that are there, used up. */
  level: number;
  value: number;
};

/** Goes through a chunk in the order of its rows; only the pages that it stands on are in memory. */
export class ParquetColumnCursor {
  private offset: number;
  private page: Page | null = null;
  private dictionary: ColumnValues | null = null;
  private valuesSeen = 0;
  /** Row that the next read begins with. */
  row = 0;

  constructor(
    private readonly place: ColumnarPlace,
    private readonly leaf: ParquetLeaf,
    private readonly chunk: ParquetChunk,
    private readonly decoders: PageDecoders,
    private readonly readAt: ReadSync,
  ) {
    this.offset = chunk.start;
  }

  skip(rows: number): void {
    this.advance(rows, null);
  }

  read(rows: number): DecodedColumn {
    const taken = new Taken(rows, this.leaf);
    this.advance(rows, taken);
    return guarded(this.place, 'values', () => taken.finish(this.dictionary));
  }

  private advance(rows: number, into: Taken | null): void {
    let left = rows;
    while (left > 0) {
      const page = this.page !== null && this.page.level < this.page.numValues ? this.page : this.nextPage();
      if (page === null) throw damaged(this.place, `its pages end ${left} rows too early`);
      left -= guarded(this.place, 'values', () => this.takeRows(page, left, into));
    }
    // A list goes on until the next row begins, and that may be on another page.
    if (this.leaf.maxRepetition > 0) this.takeRest(into);
    this.row += rows;
  }

  private takeRest(into: Taken | null): void {
    for (;;) {
      const page = this.page !== null && this.page.level < this.page.numValues ? this.page : this.nextPage();
      if (page === null) return;
      const { repetition } = page;
      if (repetition === null) return;
      let end = page.level;
      while (end < page.numValues && repetition[end] !== 0) end++;
      if (end > page.level) guarded(this.place, 'values', () => this.take(page, end - page.level, into));
      if (end < page.numValues) return;
    }
  }

  /** Takes at most `rows` rows out of a page; how many have begun. */
  private takeRows(page: Page, rows: number, into: Taken | null): number {
    const { repetition } = page;
    if (repetition === null) {
      const count = Math.min(rows, page.numValues - page.level);
      this.take(page, count, into);
      return count;
    }
    let begun = 0;
    let end = page.level;
    for (; end < page.numValues; end++) {
      if (repetition[end] !== 0) continue;
      if (begun === rows) break;
      begun++;
    }
    this.take(page, end - page.level, into);
    return begun;
  }

  private take(page: Page, levels: number, into: Taken | null): void {
    const { definition, repetition, level } = page;
    let present = levels;
    if (definition !== null) {
      const { maxDefinition } = this.leaf;
      present = 0;
      for (let i = level; i < level + levels; i++) if (definition[i] === maxDefinition) present++;
    }
    if (into !== null) {
      into.addLevels(definition, repetition, level, levels);
      if (page.indices !== null) {
        const indices = new Int32Array(present);
        page.indices.read(indices, present);
        into.addIndices(indices, this.dictionary as ColumnValues);
      } else into.addValues(slice(page.values as ColumnValues, page.value, page.value + present));
    } else page.indices?.skip(present);
    page.level += levels;
    page.value += present;
  }

  /** The next data page; null behind the last one. */
  private nextPage(): Page | null {
    for (;;) {
      if (this.offset >= this.chunk.end || this.valuesSeen >= this.chunk.numValues) {
        this.page = null;
        return null;
      }
      const { header, bytesAt } = this.header();
      const size = header.compressed_page_size;
      if (!(size >= 0 && size <= this.chunk.end - bytesAt)) {
        throw damaged(this.place, `the page at byte ${this.offset} has ${size} bytes, the column ${this.chunk.end - bytesAt} more`);
      }
      const bytes = this.readAt(bytesAt, size);
      if (bytes.length !== size) throw damaged(this.place, 'the file became shorter while it was read');
      const at = this.offset;
      this.offset = bytesAt + size;
      if (header.crc !== undefined && (crc32(bytes) | 0) !== (header.crc | 0)) {
        throw damaged(this.place, `the page at byte ${at} has another checksum than its header says`);
      }
      const page = guarded(this.place, `the page at byte ${at}`, () => this.openPage(header, bytes));
      if (page === null) continue;
      this.valuesSeen += page.numValues;
      this.page = page;
      if (page.numValues > 0) return page;
    }
  }

  private header(): { header: PageHeader; bytesAt: number } {
    const { offset } = this;
    const most = Math.min(MOST_HEADER_BYTES, this.chunk.end - offset);
    for (let length = Math.min(HEADER_BYTES, most); ; length = Math.min(length * 8, most)) {
      const bytes = this.readAt(offset, length);
      try {
        const end = checkThriftStruct(bytes, 0, bytes.length);
        // Memory of its own: statistics are views of it.
        const own = bytes.slice(0, end);
        const header = guarded(this.place, `page header at byte ${offset}`, () =>
          this.decoders.parquetHeader({ view: new DataView(own.buffer), offset: 0 }),
        );
        return { header, bytesAt: offset + end };
      } catch (error) {
        if (length >= most)
          return guarded(this.place, `page header at byte ${offset}`, () => {
            throw error;
          });
      }
    }
  }

  /** null: no data page. */
  private openPage(header: PageHeader, bytes: Uint8Array): Page | null {
    const { element } = this.leaf;
    switch (header.type) {
      case 'DICTIONARY_PAGE': {
        if (this.dictionary !== null) throw new Error('a second dictionary');
        const count = checkedCount(header.dictionary_page_header?.num_values);
        const page = this.decompress(bytes, header.uncompressed_page_size);
        this.dictionary = decodeValues(this.decoders, element, 'PLAIN', page, count);
        return null;
      }
      case 'DATA_PAGE': {
        const head = header.data_page_header;
        if (head === undefined) throw new Error('its header has no data page');
        const count = checkedCount(head.num_values);
        const page = this.decompress(bytes, header.uncompressed_page_size);
        const repetition = levelsV1(page, 0, this.leaf.maxRepetition, count, head.repetition_level_encoding);
        const definition = levelsV1(page, repetition.end, this.leaf.maxDefinition, count, head.definition_level_encoding);
        return this.data(count, repetition.levels, definition.levels, page.subarray(definition.end), head.encoding, false);
      }
      case 'DATA_PAGE_V2': {
        const head = header.data_page_header_v2;
        if (head === undefined) throw new Error('its header has no data page');
        const count = checkedCount(head.num_values);
        const repetitionBytes = head.repetition_levels_byte_length;
        const levelBytes = repetitionBytes + head.definition_levels_byte_length;
        if (!(repetitionBytes >= 0 && levelBytes >= repetitionBytes && levelBytes <= bytes.length))
          throw new Error('levels longer than the page');
        const repetition = levels(bytes, 0, repetitionBytes, this.leaf.maxRepetition, count);
        const definition = levels(bytes, repetitionBytes, levelBytes, this.leaf.maxDefinition, count);
        const body = bytes.subarray(levelBytes);
        // A page of nulls alone may have no body at all, whatever the codec.
        const length = header.uncompressed_page_size - levelBytes;
        const page = head.is_compressed === false || length === 0 ? body : this.decompress(body, length);
        return this.data(count, repetition, definition, page, head.encoding, true);
      }
      default:
        // Pages of indexes.
        return null;
    }
  }

  private data(
    count: number,
    repetition: Uint8Array | null,
    given: Uint8Array | null,
    bytes: Uint8Array,
    encoding: string,
    second: boolean,
  ): Page {
    const { element, maxDefinition } = this.leaf;
    let present = count;
    if (given !== null) {
      present = 0;
      for (let i = 0; i < count; i++) if (given[i] === maxDefinition) present++;
    }
    // Lists need their levels; elsewhere a page without nulls does not.
    const definition = present === count && this.leaf.maxRepetition === 0 ? null : given;
    const page = { numValues: count, definition, repetition, level: 0, value: 0 };
    if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
      if (this.dictionary === null) throw new Error('it wants a dictionary, and there is none before it');
      const width = bytes[0] ?? 0;
      return { ...page, indices: new HybridDecoder(bytes, 1, bytes.length, width, present), values: null };
    }
    if (encoding === 'RLE' && element.type === 'BOOLEAN') {
      const values = new Uint8Array(present);
      const start = second && !hasLength(bytes) ? 0 : 4;
      new HybridDecoder(bytes, start, bytes.length, 1, present).read(values, present);
      return { ...page, indices: null, values };
    }
    return { ...page, indices: null, values: decodeValues(this.decoders, element, encoding, bytes, present) };
  }

  private decompress(bytes: Uint8Array, length: number): Uint8Array {
    if (!(length >= 0 && length <= MOST_PAGE_BYTES))
      throw new Error(`${length} bytes, at most ${MOST_PAGE_BYTES} are read: write smaller pages`);
    if (length === 0 && bytes.length === 0) return bytes;
    const page = this.decoders.decompress(this.chunk.codec, bytes, length);
    if (page.length !== length) throw new Error(`${page.length} bytes decompressed, its header says ${length}`);
    return page;
  }
}

/** Truth values of version 2 have their length before them, like levels of version 1; some writers leave it out. */
function hasLength(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === bytes.length - 4;
}

function checkedCount(count: number | undefined): number {
  if (count === undefined || !(count >= 0 && count <= MOST_PAGE_VALUES)) {
    throw new Error(`${count} values, at most ${MOST_PAGE_VALUES} are read: write smaller pages`);
  }
  return count;
}

function levelsV1(
  page: Uint8Array,
  start: number,
  most: number,
  count: number,
  encoding: string,
): { levels: Uint8Array | null; end: number } {
  if (most === 0) return { levels: null, end: start };
  if (encoding !== 'RLE') throw new Error(`levels of encoding ${encoding} are not read`);
  if (start + 4 > page.length) throw new Error('levels are cut off');
  const length = new DataView(page.buffer, page.byteOffset).getUint32(start, true);
  if (length > page.length - start - 4) throw new Error(`levels of ${length} bytes where ${page.length - start - 4} are left`);
  const end = start + 4 + length;
  return { levels: levels(page, start + 4, end, most, count), end };
}

function levels(bytes: Uint8Array, start: number, end: number, most: number, count: number): Uint8Array | null {
  if (most === 0) return null;
  const out = new Uint8Array(count);
  new HybridDecoder(bytes, start, end, 32 - Math.clz32(most), count).read(out, count);
  for (let i = 0; i < count; i++) if (out[i] > most) throw new Error(`a level of ${out[i]}, at most ${most} makes sense`);
  return out;
}

function slice(values: ColumnValues, start: number, end: number): ColumnValues {
  if (values instanceof Texts) return new Texts(values.bytes, values.ends.subarray(start, end + 1));
  return values.subarray(start, end);
}

/** The rows of one read, put together from the pages that they lie on. */
class Taken {
  private readonly offsets: Uint32Array | null;
  private missing: Uint8Array | null = null;
  private row = -1;
  private count = 0;
  private nullElements = 0;
  private readonly parts: { readonly indices: Int32Array | null; readonly values: ColumnValues }[] = [];

  constructor(
    private readonly rows: number,
    private readonly leaf: ParquetLeaf,
  ) {
    this.offsets = leaf.maxDefinition === 0 ? null : new Uint32Array(rows + 1);
  }

  addLevels(definition: Uint8Array | null, repetition: Uint8Array | null, from: number, count: number): void {
    const { offsets, leaf } = this;
    if (offsets === null) return;
    const { maxDefinition, presentLevel } = leaf;
    for (let i = from; i < from + count; i++) {
      const level = definition === null ? maxDefinition : definition[i];
      if (repetition === null || repetition[i] === 0) {
        offsets[++this.row] = this.count;
        if (level < presentLevel) {
          this.missing ??= new Uint8Array(this.rows);
          this.missing[this.row] = 1;
        }
      } else if (this.row < 0) throw new Error('a list goes on where a row must begin');
      if (level === maxDefinition) this.count++;
      // Above it a list is there and has an element; below a value is missing or the list is empty.
      else if (leaf.maxRepetition > 0 && level > presentLevel) this.nullElements++;
    }
  }

  addIndices(indices: Int32Array, dictionary: ColumnValues): void {
    for (let p = 0; p < indices.length; p++) {
      if (indices[p] < 0 || indices[p] >= dictionary.length) throw new Error(`dictionary entry ${indices[p]} of ${dictionary.length}`);
    }
    if (indices.length > 0) this.parts.push({ indices, values: dictionary });
  }

  addValues(values: ColumnValues): void {
    if (values.length > 0) this.parts.push({ indices: null, values });
  }

  finish(dictionary: ColumnValues | null): DecodedColumn {
    const { rows, parts } = this;
    const { offsets, missing, nullElements } = this;
    if (offsets !== null) offsets[rows] = this.count;
    // One value a row needs no offsets.
    const plain = offsets !== null && this.leaf.maxRepetition === 0 && missing === null;
    const made = { rows, offsets: plain ? null : offsets, missing, nullElements };
    const first = parts[0];
    if (first === undefined) return { ...made, indices: new Int32Array(0), values: dictionary ?? new Uint8Array(0) };
    if (parts.every((part) => part.indices !== null)) {
      const indices = joinValues(parts.map((part) => part.indices as Int32Array)) as Int32Array;
      return { ...made, indices, values: first.values };
    }
    // The writer gave the dictionary up in between.
    const values = joinValues(parts.map((part) => (part.indices === null ? part.values : takeValues(part.values, part.indices))));
    return { ...made, indices: null, values };
  }
}
