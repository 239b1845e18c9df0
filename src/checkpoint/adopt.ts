import { link, open } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32c, DurableWriter, failpoint, fsyncFolder, makeFolderDurable, removeQuietly } from '../base/index.js';
import { commitCheckpoint, commitManifest } from './commit.js';
import { parseOwnedName, type SectionInfo, temporaryFolderName } from './format.js';
import { claimFolderName, foldersOfStep } from './leftovers.js';
import { type CheckpointEntry, entryOf, listCheckpoints } from './list.js';
import type { ManifestContent } from './manifest.js';
import { type CheckpointReader, openEntry, referenceTo } from './reader.js';
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
 * all. A delta brings its base along. Sections become hard links where the file system lets them, copies elsewhere; every byte is checked
 * where it arrives. The source stays as it is. A checkpoint of the same step that stands here is replaced.
 *
 * @param beforeCommit is called once everything is in place but the names that make it count.
 * @returns path of the manifest in `modelDir`.
 * @throws CheckpointCorrupt, CheckpointIncompatible (source), DiskFull, WriteFailed
 */
export async function adoptCheckpoint(
  source: CheckpointEntry,
  modelDir: string,
  beforeCommit: () => Promise<void>,
  options: CheckpointOptions = {},
): Promise<string> {
  const reader = await openEntry(source, options);
  await makeFolderDurable(modelDir);
  const parts = [...(reader.base === null ? [] : [reader.base]), reader];
  try {
    const contents: ManifestContent[] = [];
    for (const part of parts) contents.push(await stage(part, modelDir, options));
    await beforeCommit();
    const own = contents[contents.length - 1];
    // The state files come last: until then nobody takes the base for what was asked for.
    for (const base of contents.slice(0, -1)) await commitManifest(modelDir, base);
    const base = own.base === null ? null : await referenceTo(modelDir, own.base.step);
    return await commitCheckpoint(modelDir, { ...own, base });
  } catch (error) {
    for (const { step } of parts) await removeQuietly(join(modelDir, temporaryFolderName(step)));
    throw error;
  }
}

/** Sections in the temporary folder of their step, checked and flushed. Answers with what the manifest is to say. */
async function stage({ entry, manifest }: CheckpointReader, modelDir: string, options: CheckpointOptions): Promise<ManifestContent> {
  const { step, base, sections, fields } = manifest;
  const folder = await freeFolderName(modelDir, step, manifest.folder);
  const temporary = join(modelDir, temporaryFolderName(step));
  await makeFolderDurable(temporary);
  failpoint('restore.beforeSections');
  for (const section of sections) {
    await bring(join(entry.modelDir, manifest.folder, section.name), join(temporary, section.name));
    await verifyArrived(modelDir, step, section, options);
    failpoint('restore.afterSection');
  }
  await fsyncFolder(temporary);
  return { step, folder, base, sections, fields };
}

/** The name that the folder has at the source, where that is free: the manifest then stays the same byte for byte. */
async function freeFolderName(modelDir: string, step: number, wanted: string): Promise<string> {
  const free = await claimFolderName(modelDir, step);
  return (await foldersOfStep(modelDir, step)).includes(wanted) ? free : wanted;
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
