import { bucketOf, MonolithError } from '../base/index.js';
import { featuresOfSlot, type SavedRun } from './saved-run.js';
import { placeOf, SectionSource, unsignedFids } from './sections.js';

/** One row of one table: values and optimizer state of each slice. */
export type FoundRow = {
  readonly table: string;
  readonly lastUsed: number;
  readonly norm: number;
  readonly slices: readonly {
    readonly name: string;
    readonly values: readonly number[];
    readonly state: { readonly [name: string]: readonly number[] };
  }[];
};

export type FidReport = {
  readonly fid: string;
  readonly slot: number;
  readonly features: readonly string[];
  /** Empty where no table has a row for it. */
  readonly rows: readonly FoundRow[];
};

/** Reads a fid as people write it: decimal (also negative, as a signed number) or `0x` and hexadecimal digits. @throws InvalidConfig */
export function parseFid(text: string): bigint {
  const isNumber = /^(-?\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text);
  const value = isNumber ? BigInt(text) : 0n;
  if (isNumber && value >= -(1n << 63n) && value < 1n << 64n) return BigInt.asUintN(64, value);
  throw new MonolithError('InvalidConfig', `fid: expected a 64-bit number in decimal or 0x and hexadecimal digits, got "${text}"`, {
    fid: text,
  });
}

/**
 * The rows of one fid in every table (or the one named). Reads one section a table (of a delta, one of its base and those over it).
 * @param fid unsigned.
 * @throws CheckpointCorrupt
 */
export async function findRows(run: SavedRun, fid: bigint, tableName: string | null): Promise<FidReport> {
  const rows: FoundRow[] = [];
  for (const table of run.tables) {
    if (tableName !== null && table.name !== tableName) continue;
    const sections = new SectionSource(run, table);
    const section = await sections.at(bucketOf(fid, sections.bits));
    const place = placeOf(unsignedFids(section), fid);
    if (place < 0) continue;
    const width = table.dim + table.stateLength;
    const record = section.records.subarray(place * width, (place + 1) * width);
    rows.push({
      table: table.name,
      lastUsed: section.timestamps[place],
      norm: Math.sqrt(record.subarray(0, table.dim).reduce((sum, value) => sum + value * value, 0)),
      slices: table.slices.map(({ name, dim, offset, stateOffset, state }) => {
        let at = stateOffset;
        const arrays = state.map((array): [string, number[]] => {
          at += array.length;
          return [array.name, [...record.subarray(at - array.length, at)]];
        });
        return { name, values: [...record.subarray(offset, offset + dim)], state: Object.fromEntries(arrays) };
      }),
    });
  }
  const slot = Number((fid >> 48n) & 0x7fffn);
  return { fid: String(fid), slot, features: featuresOfSlot(run, slot), rows };
}
