import { link, open } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32c, DurableWriter, failpoint, fsyncFolder, makeFolderDurable, removeQuietly } from '../base/index.js';
import { commitCheckpoint } from './commit.js';
import { type BaseReference, parseOwnedName, type SectionInfo, temporaryFolderName } from './format.js';
import { claimFolderName } from './leftovers.js';
import { type CheckpointEntry, entryOf, listCheckpoints } from './list.js';
import { openEntry, referenceTo } from './reader.js';
import { SectionReader } from './section-reader.js';
import type { CheckpointOptions } from './writer.js';

/** Bytes copied at once. */
const PIECE_LENGTH = 1 << 20;

/** The checkpoint of this format that a path such as `…/checkpoint-1200` or `…/checkpoint-1200.json` names; null if it names none that is there. */
export async function checkpointAt(path: string): Promise<CheckpointEntry | null> {
  const absolute = resolve(path);
  const owned = parseOwnedName(basename(absolute));
  if (owned === null || owned.kind === 'temporary') return null;
  const modelDir = dirname(absolute);
  const there = (await listCheckpoints(modelDir).catch(() => [])).some(({ step }) => step === owned.step);
  return there ? entryOf(modelDir, owned.step) : null;
}

/**
 * Takes a checkpoint of another folder into this one, under the same step, with the commit protocol of a save: it is there whole or not at
 * all. Sections become hard links where the file system lets them, copies elsewhere; every byte is checked where it arrives. The source
 * stays as it is. A checkpoint of the same step that stands here is replaced.
 *
 * @param beforeCommit is called once everything is in place but the names that make it count.
 * @returns path of the manifest in `modelDir`.
 * @throws CheckpointCorrupt, CheckpointIncompatible (source), DiskFull, WriteFailed; then nothing of it stays
 */
export async function adoptCheckpoint(
  source: CheckpointEntry,
  modelDir: string,
  beforeCommit: () => Promise<void>,
  options: CheckpointOptions = {},
): Promise<string> {
  const { manifest } = await openEntry(source, options);
  const { step, sections, fields } = manifest;
  await makeFolderDurable(modelDir);
  const folder = await claimFolderName(modelDir, step);
  const temporary = join(modelDir, temporaryFolderName(step));
  try {
    await makeFolderDurable(temporary);
    failpoint('restore.beforeSections');
    for (const section of sections) {
      await bring(join(source.modelDir, manifest.folder, section.name), join(temporary, section.name));
      await verifyArrived(modelDir, step, section, options);
      failpoint('restore.afterSection');
    }
    await fsyncFolder(temporary);
    // A delta is nothing without the whole checkpoint that it changes. Here that may have another manifest: its folder can have another name.
    let base: BaseReference | null = null;
    if (manifest.base !== null) {
      await adoptCheckpoint(entryOf(source.modelDir, manifest.base.step), modelDir, async () => {}, options);
      base = await referenceTo(modelDir, manifest.base.step);
    }
    await beforeCommit();
    return await commitCheckpoint(modelDir, { step, folder, base, sections, fields });
  } catch (error) {
    await removeQuietly(temporary);
    throw error;
  }
}

async function verifyArrived(modelDir: string, step: number, section: SectionInfo, options: CheckpointOptions): Promise<void> {
  await new SectionReader(modelDir, temporaryFolderName(step), section, options.crc32c ?? crc32c).verify();
}

/** One file under another name, flushed. Sections are never changed once written, so that two names may share the bytes. */
async function bring(from: string, to: string): Promise<void> {
  const linked = await link(from, to).then(
    () => true,
    // Another file system, one without hard links, a file of another user: the copy says what is really wrong.
    () => false,
  );
  if (linked) await flush(to);
  else await copy(from, to);
}

/** Whoever put the file there may not have flushed it. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function copy(from: string, to: string): Promise<void> {
  const input = await open(from, 'r');
  try {
    const writer = await DurableWriter.create(to);
    try {
      const buffer = new Uint8Array(PIECE_LENGTH);
      for (;;) {
        const { bytesRead } = await input.read(buffer, 0, buffer.length);
        if (bytesRead === 0) break;
        await writer.append(buffer.subarray(0, bytesRead));
      }
      await writer.close();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  } finally {
    await input.close();
  }
}
