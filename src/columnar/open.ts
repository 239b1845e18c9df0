import type { ColumnarFile, ColumnarFormat } from './columnar-file.js';

/**
 * Opens a file of a format that is read by position. Its library is loaded here, the first time.
 * @throws DataNotFound, RecordCorrupt, DataFormat.
 */
export async function openColumnarFile(format: ColumnarFormat, path: string): Promise<ColumnarFile> {
  switch (format) {
    case 'parquet': {
      const { ParquetFile } = await import('./parquet-file.js');
      return ParquetFile.open(path);
    }
    case 'arrow':
      throw new Error('not yet');
    default:
      return format satisfies never;
  }
}
