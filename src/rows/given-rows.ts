import { open, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { MonolithError } from '../base/index.js';
import { type GivenRows, readCsvRows, readJsonRows } from './given-text.js';
import { MAX_NPY_HEAD, type NpyType, npyItemLength, readNpyHead } from './npy.js';
import type { SavedSlice } from './saved-run.js';

/** Values read at once from a .npy file. */
const NPY_CHUNK = 1 << 20;

/**
 * Reads rows to import and checks every one of them: a `.csv` with the columns `fid` and `<slice>.<i>`, a `.jsonl` of
 * `{"fid": "123", "values": {"<slice>": […]}}`, or a folder with `fids.npy` and `values.npy`. What `rows export` writes is read; columns of
 * optimizer state and last use are passed over.
 *
 * @param slices those of the table.
 * @param only   name of the slice that values without a name belong to; null: they are of all slices.
 * @throws DataNotFound, DataFormat naming line and column, InvalidConfig
 */
export async function readGivenRows(path: string, slices: readonly SavedSlice[], only: string | null): Promise<GivenRows> {
  const chosen = only === null ? slices : slices.filter(({ name }) => name === only);
  if (chosen.length === 0) {
    const names = slices.map(({ name }) => name).join(', ');
    throw new MonolithError('InvalidConfig', `--slice: the table has no slice "${only}"; it has ${names}`, { slice: only });
  }
  const there = await stat(path).catch(() => null);
  if (there === null) throw new MonolithError('DataNotFound', `${path}: there is no such file or folder of rows`, { path });
  if (there.isDirectory()) return await readNpyRows(path, chosen);
  const ending = extname(path).toLowerCase();
  if (ending === '.csv') return await readCsvRows(path, slices, only);
  if (ending === '.jsonl') return await readJsonRows(path, slices, chosen);
  const hint = ending === '.npy' ? `; name the folder that holds fids.npy and values.npy` : '';
  throw new MonolithError('InvalidConfig', `${path}: expected a .csv, a .jsonl, or a folder with fids.npy and values.npy${hint}`, { path });
}

async function readNpyRows(folder: string, slices: readonly SavedSlice[]): Promise<GivenRows> {
  const fidsPath = join(folder, 'fids.npy');
  const valuesPath = join(folder, 'values.npy');
  const width = slices.reduce((sum, { dim }) => sum + dim, 0);
  const fids = await readNpy(fidsPath, ['<u8', '<i8'], (shape) => (shape.length === 1 ? null : 'one dimension'));
  const count = fids.shape[0];
  const values = await readNpy(valuesPath, ['<f4', '<f8'], (shape) =>
    shape.length === 2 && shape[0] === count && shape[1] === width
      ? null
      : `shape (${count}, ${width}): ${count} fids, and ${width} values a row (${slices.map(({ name, dim }) => `${name} ${dim}`).join(', ')})`,
  );
  const numbers = values.type === '<f8' ? Float32Array.from(new Float64Array(values.bytes.buffer)) : new Float32Array(values.bytes.buffer);
  const at = numbers.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    const problem = `row ${Math.floor(at / width)}, column ${at % width}: not a finite float32`;
    throw new MonolithError('DataFormat', `${valuesPath}: ${problem}`, {
      path: valuesPath,
      row: Math.floor(at / width),
      column: at % width,
    });
  }
  return {
    path: folder,
    slices,
    count,
    fids: new BigUint64Array(fids.bytes.buffer),
    values: numbers,
    placeOf: (row) => `row ${row}`,
  };
}

/** Reads a whole .npy file. `problemOf` says what shape is expected where another is found. @throws DataNotFound, DataFormat */
async function readNpy(
  path: string,
  types: readonly NpyType[],
  problemOf: (shape: readonly number[]) => string | null,
): Promise<{ readonly type: NpyType; readonly shape: readonly number[]; readonly bytes: Uint8Array }> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new MonolithError('DataNotFound', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { path }, { cause });
  });
  try {
    const { size } = await file.stat();
    const first = new Uint8Array(Math.min(size, MAX_NPY_HEAD));
    await file.read(first, 0, first.length, 0);
    const { type, shape, dataAt } = readNpyHead(path, first);
    if (!types.includes(type)) {
      throw new MonolithError('DataFormat', `${path}: elements of type ${type}, expected ${types.join(' or ')}`, { path, type });
    }
    const problem = problemOf(shape);
    if (problem !== null) throw new MonolithError('DataFormat', `${path}: has shape (${shape.join(', ')}), expected ${problem}`, { path });
    const length = shape.reduce((product, n) => product * n, npyItemLength(type));
    if (dataAt + length !== size) {
      throw new MonolithError('DataFormat', `${path}: ${size} bytes, expected ${dataAt + length} by its header`, {
        path,
        expected: dataAt + length,
        actual: size,
      });
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.read(bytes, done, Math.min(NPY_CHUNK, length - done), dataAt + done);
      if (bytesRead === 0) throw new MonolithError('DataFormat', `${path}: ends at byte ${dataAt + done} while being read`, { path });
      done += bytesRead;
    }
    return { type, shape, bytes };
  } finally {
    await file.close();
  }
}
