// The directory of a zip file. Sizes and places come from there alone; what the entries say of themselves in front is passed over.
import type { FileHandle } from 'node:fs/promises';
import { MonolithError } from '../../base/index.js';

export type ZipEntry = {
  readonly name: string;
  /** 0 stored, 8 deflate. */
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly bytes: number;
  /** Where its stored bytes begin in the file. */
  readonly start: number;
};

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
/** The end of the directory and the longest comment behind it. */
const TAIL_BYTES = END_BYTES + 65535;
const MOST_DIRECTORY = 64 << 20;
const ALL_ONES = 0xffffffff;

/** @throws RecordCorrupt, DataFormat naming what is wrong and where. */
export async function zipEntries(handle: FileHandle, path: string, size: number): Promise<ZipEntry[]> {
  const tail = await read(handle, path, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw corrupt(path, size, 'a zip file without the end of its directory: it is cut off');
  let length = tail.readUInt32LE(end + 12);
  let at = tail.readUInt32LE(end + 16);
  if (length === ALL_ONES || at === ALL_ONES || tail.readUInt16LE(end + 10) === 0xffff) {
    const locator = end - 20;
    if (locator < 0 || tail.readUInt32LE(locator) !== LOCATOR64) throw corrupt(path, size, 'a zip file whose directory is not found');
    const end64 = await read(handle, path, Number(tail.readBigUInt64LE(locator + 8)), 56);
    if (end64.readUInt32LE(0) !== END64) throw corrupt(path, size, 'a zip file whose directory is not found');
    length = Number(end64.readBigUInt64LE(40));
    at = Number(end64.readBigUInt64LE(48));
  }
  if (length > MOST_DIRECTORY || at + length > size) throw corrupt(path, at, 'a zip file whose directory does not fit in it');
  const directory = await read(handle, path, at, length);
  const entries: ZipEntry[] = [];
  for (let p = 0; p < directory.length; ) {
    if (directory.length - p < 46 || directory.readUInt32LE(p) !== ENTRY)
      throw corrupt(path, at + p, 'a damaged entry of the zip directory');
    const nameLength = directory.readUInt16LE(p + 28);
    const extraLength = directory.readUInt16LE(p + 30);
    const next = p + 46 + nameLength + extraLength + directory.readUInt16LE(p + 32);
    if (next > directory.length) throw corrupt(path, at + p, 'a damaged entry of the zip directory');
    const name = directory.toString('utf8', p + 46, p + 46 + nameLength);
    const extra = directory.subarray(p + 46 + nameLength, p + 46 + nameLength + extraLength);
    const [bytes, storedBytes, offset] = sizes64(extra, [
      directory.readUInt32LE(p + 24),
      directory.readUInt32LE(p + 20),
      directory.readUInt32LE(p + 42),
    ]);
    const method = directory.readUInt16LE(p + 10);
    if ((directory.readUInt16LE(p + 8) & 1) !== 0) throw new MonolithError('DataFormat', `${path}: ${name} is encrypted`, { path });
    if (method !== 0 && method !== 8)
      throw new MonolithError('DataFormat', `${path}: ${name} is compressed by method ${method}; stored and deflate are read`, { path });
    const local = await read(handle, path, offset, 30);
    if (local.readUInt32LE(0) !== LOCAL) throw corrupt(path, offset, `${name} is not where the zip directory says`);
    const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (start + storedBytes > size || (method === 0 && storedBytes !== bytes))
      throw corrupt(path, at + p, `the sizes of ${name} make no sense`);
    entries.push({ name, method, crc: directory.readUInt32LE(p + 16), storedBytes, bytes, start });
    p = next;
  }
  return entries;
}

/** Sizes of all ones stand in the extra field of zip64, those that are in this order. */
function sizes64(extra: Buffer, sizes: readonly [number, number, number]): [number, number, number] {
  for (let p = 0; p + 4 <= extra.length; p += 4 + extra.readUInt16LE(p + 2)) {
    if (extra.readUInt16LE(p) !== 1) continue;
    let q = p + 4;
    return sizes.map((size) => {
      if (size !== ALL_ONES || q + 8 > extra.length) return size;
      q += 8;
      return Number(extra.readBigUInt64LE(q - 8));
    }) as [number, number, number];
  }
  return [...sizes];
}

async function read(handle: FileHandle, path: string, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = Number.isSafeInteger(at) ? await handle.read(bytes, 0, length, at) : { bytesRead: -1 };
  if (bytesRead < length) throw corrupt(path, at, 'the zip file is cut off or damaged');
  return bytes;
}

function corrupt(path: string, byte: number, what: string): MonolithError {
  return new MonolithError('RecordCorrupt', `${path} at byte ${byte}: ${what}`, { path, byte });
}
