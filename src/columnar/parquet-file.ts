import { type ColumnarFile, type ColumnarGroup, type ColumnRange, type FileStamp, withFile, withFileSync } from './columnar-file.js';
import type { ColumnField, DecodedColumn } from './columns.js';
import { ParquetColumnCursor, type ReadSync } from './parquet-column.js';
import { isDecimal, type ParquetFooter, readParquetFooter } from './parquet-footer.js';
import { loadPageDecoders, type PageDecoders } from './parquet-values.js';

/** A Parquet file; its groups are row groups. */
export class ParquetFile implements ColumnarFile {
  readonly format = 'parquet';
  readonly groupName = 'row group';
  readonly passedOver: readonly string[] = [];
  /** The cursors of the group that was read last. */
  private cursors = new Map<number, ParquetColumnCursor>();
  private group = -1;
  private readAt: ReadSync = () => new Uint8Array(0);

  private constructor(
    readonly path: string,
    readonly stamp: FileStamp,
    private readonly footer: ParquetFooter,
    private readonly decoders: PageDecoders,
  ) {}

  /** @throws DataNotFound, RecordCorrupt, DataFormat. */
  static async open(path: string): Promise<ParquetFile> {
    const decoders = await loadPageDecoders();
    return withFile(path, async (stamp, readAt) => {
      const footer = await readParquetFooter(path, stamp.size, readAt);
      return new ParquetFile(path, stamp, footer, decoders);
    });
  }

  get fields(): readonly ColumnField[] {
    return this.footer.leaves;
  }

  get groups(): readonly ColumnarGroup[] {
    return this.footer.groups;
  }

  get rows(): number {
    return this.footer.rows;
  }

  bytesOf(group: number, columns: readonly number[]): number {
    const { chunks } = this.footer.groups[group];
    return columns.reduce((sum, column) => sum + chunks[column].uncompressedBytes, 0);
  }

  valuesOf(group: number, column: number): number {
    return this.footer.groups[group].chunks[column].numValues;
  }

  rangeOf(group: number, column: number): ColumnRange | null {
    const { statistics } = this.footer.groups[group].chunks[column];
    const { kind, listDepth, element } = this.footer.leaves[column];
    const isText = element.type === 'BYTE_ARRAY' && (kind === 'text' || kind === 'bytes') && !isDecimal(element);
    if (listDepth > 0 || !(isText || kind === 'integer')) return null;
    const { min_value: least, max_value: greatest, null_count: nulls } = statistics ?? {};
    if (!isBound(least) || !isBound(greatest) || least instanceof Uint8Array !== isText) return null;
    const exact = statistics?.is_min_value_exact === true && statistics?.is_max_value_exact === true;
    return { least: bound(least), greatest: bound(greatest), exact, hasMissing: nulls === undefined || nulls > 0n };
  }

  read(group: number, first: number, rows: number, columns: readonly number[]): DecodedColumn[] {
    if (group !== this.group) this.cursors.clear();
    this.group = group;
    return withFileSync(this.path, this.stamp, (readAt) => {
      this.readAt = readAt;
      try {
        return columns.map((column) => this.readColumn(column, first, rows));
      } catch (error) {
        // A cursor in the middle of something stands nowhere.
        this.cursors.clear();
        throw error;
      }
    });
  }

  private readColumn(column: number, first: number, rows: number): DecodedColumn {
    let cursor = this.cursors.get(column);
    if (cursor === undefined || cursor.row > first) {
      const leaf = this.footer.leaves[column];
      const place = { path: this.path, part: `row group ${this.group}`, column: leaf.name };
      const readAt: ReadSync = (at, length) => this.readAt(at, length);
      cursor = new ParquetColumnCursor(place, leaf, this.footer.groups[this.group].chunks[column], this.decoders, readAt);
      this.cursors.set(column, cursor);
    }
    cursor.skip(first - cursor.row);
    return cursor.read(rows);
  }
}

function isBound(value: unknown): value is Uint8Array | bigint | number {
  return value instanceof Uint8Array || typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

function bound(value: Uint8Array | bigint | number): Uint8Array | bigint {
  return typeof value === 'number' ? BigInt(value) : value;
}
