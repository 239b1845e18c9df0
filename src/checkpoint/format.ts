import { MonolithError } from '../base/index.js';

// Names and numbers of the container format, versions 1 and 2; docs/formats/checkpoint.md describes it byte by byte.

/** First field of every manifest. */
export const FORMAT_NAME = 'monolith-local checkpoint';

/** Version of a whole checkpoint. */
export const WHOLE_VERSION = 1;

/** Version of a delta: a checkpoint that is loaded on top of its base. Readers of version 1 would take it for a whole one, so it has its own. */
export const DELTA_VERSION = 2;

/** The newest version that this code reads. */
export const FORMAT_VERSION = DELTA_VERSION;

/** Data bytes under one checksum. Small enough to point at the damage, large enough that checksums are 1/16384 of the data. */
export const BLOCK_LENGTH = 65536;

/** Bytes of the trailer at the end of a section file. */
export const TRAILER_LENGTH = 32;

/** First eight bytes of the trailer. */
export const SECTION_MAGIC = 'MLSECT01';

/** A manifest is a few KiB; anything larger than this is not one, and is not read into memory. */
export const MAX_MANIFEST_LENGTH = 64 * 1024 * 1024;

/** TensorFlow's text state: names of the checkpoints, newest written first. A hint; manifests decide. */
export const TF_STATE_FILE = 'checkpoint';

/** The text form of MonolithCheckpointState. */
export const MONOLITH_STATE_FILE = 'monolith_checkpoint';

/** The whole checkpoint that a delta is a delta of: its step, and the checksum in the last line of its manifest. */
export type BaseReference = { readonly step: number; readonly crc32c: number };

/** One section as the manifest lists it. */
export type SectionInfo = {
  /** Also the file's name in the folder of sections. */
  readonly name: string;
  /** Data bytes, without the footer. */
  readonly bytes: number;
  /** CRC-32C of all data bytes. */
  readonly crc32c: number;
};

/** `checkpoint-1200` */
export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/** `checkpoint-1200.json` */
export function manifestFileName(step: number): string {
  return `${checkpointName(step)}.json`;
}

/** `checkpoint-1200.tmp`, the folder of a save that is still being written. */
export function temporaryFolderName(step: number): string {
  return `${checkpointName(step)}.tmp`;
}

/** What a name in a model folder means to us; null for names that are not ours. */
export type OwnedName = { readonly step: number; readonly kind: 'manifest' | 'folder' | 'temporary' };

/** Reads a name in a model folder: the names of this module, and `checkpoint-1200.N` for a step that was saved again. */
export function parseOwnedName(name: string): OwnedName | null {
  const match = /^checkpoint-(0|[1-9]\d{0,15})(\.json\.tmp|\.json|\.tmp|\.[1-9]\d{0,8})?$/.exec(name);
  if (match === null) return null;
  const step = Number(match[1]);
  if (!Number.isSafeInteger(step)) return null;
  const suffix = match[2] ?? '';
  if (suffix === '.json') return { step, kind: 'manifest' };
  return { step, kind: suffix.endsWith('.tmp') ? 'temporary' : 'folder' };
}

/** @throws InvalidArgument unless `step` is an integer in [0, 2⁵³) */
export function checkStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new MonolithError('InvalidArgument', `checkpoint: step must be an integer in [0, 2^53), got ${step}`, { step: String(step) });
  }
}

/** Whether a section may have this name: it is a file's name on every system, and never leaves its folder. */
export function isSectionName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name) && !name.endsWith('.');
}

/** `0x11d0e5b7` */
export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}

/** Number of checksummed blocks of a section. */
export function numBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_LENGTH);
}

/** Length of a section's file: data, one checksum per block, trailer. */
export function sectionFileLength(bytes: number): number {
  return bytes + 4 * numBlocks(bytes) + TRAILER_LENGTH;
}

/**
 * The end of a section's file, little-endian: crc32c of each block; then magic, data bytes (u64), block length, crc32c of all data,
 * zero, and crc32c of the footer up to here.
 */
export function encodeFooter(info: SectionInfo, blockChecksums: readonly number[], crc32c: (bytes: Uint8Array) => number): Uint8Array {
  const footer = new Uint8Array(4 * blockChecksums.length + TRAILER_LENGTH);
  const view = new DataView(footer.buffer);
  let at = 0;
  for (const checksum of blockChecksums) {
    view.setUint32(at, checksum, true);
    at += 4;
  }
  new TextEncoder().encodeInto(SECTION_MAGIC, footer.subarray(at));
  view.setBigUint64(at + 8, BigInt(info.bytes), true);
  view.setUint32(at + 16, BLOCK_LENGTH, true);
  view.setUint32(at + 20, info.crc32c, true);
  view.setUint32(at + 28, crc32c(footer.subarray(0, at + 28)), true);
  return footer;
}
