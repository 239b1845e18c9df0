import { NpzWord, NpzWords } from '../program.js';
import type { NpzRows } from './rows.js';

/** Names that a schema may use of an .npz file, and for each what its items are (NpzWords words). */
export type NpzColumns = { readonly names: readonly string[]; readonly table: readonly number[]; readonly rowBytes: number };

/** Arrays by name, and the items of two-dimensional ones by `name[0]` …. */
export function npzColumns({ arrays, rowBytes }: NpzRows): NpzColumns {
  const names: string[] = [];
  const table: number[] = [];
  const add = (name: string, type: number, bigEndian: boolean, itemBytes: number, count: number, offset: number): void => {
    const words = new Array<number>(NpzWords).fill(0);
    words[NpzWord.type] = type;
    words[NpzWord.bigEndian] = bigEndian ? 1 : 0;
    words[NpzWord.itemBytes] = itemBytes;
    words[NpzWord.count] = count;
    words[NpzWord.offset] = offset;
    names.push(name);
    table.push(...words);
  };
  let offset = 0;
  for (const { name, type, bigEndian, itemBytes, width, isList } of arrays) {
    add(name, type, bigEndian, itemBytes, width, offset);
    if (isList) for (let j = 0; j < width; j++) add(`${name}[${j}]`, type, bigEndian, itemBytes, 1, offset + j * itemBytes);
    offset += itemBytes * width;
  }
  return { names, table, rowBytes };
}
