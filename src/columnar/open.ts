import type { ArrowWriterOptions } from './arrow-writer.js';
import type { AvroWriterOptions } from './avro-writer.js';
import type { ColumnarFile, ColumnarFormat } from './columnar-file.js';
import type { ColumnarWriter, WriteField } from './columnar-writer.js';
import type { ParquetWriterOptions } from './parquet-writer.js';

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
    case 'arrow': {
      const { ArrowFile } = await import('./arrow-file.js');
      return ArrowFile.open(path);
    }
    default:
      return format satisfies never;
  }
}

/** The format to write and what it needs to be told. */
export type ColumnarTarget =
  | ({ readonly format: 'parquet' } & ParquetWriterOptions)
  | ({ readonly format: 'arrow' } & ArrowWriterOptions)
  | ({ readonly format: 'avro' } & AvroWriterOptions);

/** @throws InvalidConfig, DiskFull, WriteFailed. */
export async function createColumnarFile(target: ColumnarTarget, path: string, fields: readonly WriteField[]): Promise<ColumnarWriter> {
  switch (target.format) {
    case 'parquet': {
      const { createParquet } = await import('./parquet-writer.js');
      return createParquet(path, fields, target);
    }
    case 'arrow': {
      const { createArrow } = await import('./arrow-writer.js');
      return createArrow(path, fields, target);
    }
    case 'avro': {
      const { createAvro } = await import('./avro-writer.js');
      return createAvro(path, fields, target);
    }
    default:
      return target satisfies never;
  }
}
