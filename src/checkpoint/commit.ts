import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint, fsyncFolder, removeQuietly, renameFile, writeFileFlushed } from '../base/index.js';
import { manifestFileName, temporaryFolderName } from './format.js';
import { foldersOfStep, referencedFolder } from './leftovers.js';
import { listCheckpoints } from './list.js';
import { encodeManifest, type ManifestContent } from './manifest.js';
import { writeStateFiles } from './state-files.js';

// The commit protocol. What stands on disk after each arrow, and what a restart makes of it:
//
//   sections flushed in checkpoint-N.tmp/    no manifest names them: the restart sees the checkpoint before
//   → rename to checkpoint-N/                the same
//   → flush the model folder                 the same; the sections now survive a power cut under their final name
//   → manifest in checkpoint-N.json.tmp      the same
//   → rename to checkpoint-N.json            COMMIT: one atomic step from the checkpoint before to this one
//   → flush the model folder                 the commit survives a power cut; now the save may be reported as done
//   → checkpoint, monolith_checkpoint        hints for people and other tools
//
// The manifest holds the checksum of every section, so even a file system that reorders unflushed writes can't produce a mixture.

/**
 * Commits a save whose sections are written and flushed in `checkpoint-<step>.tmp/`, and brings the state files up to date.
 *
 * @returns path of the manifest.
 * @throws DiskFull, WriteFailed, InvalidArgument (fields); files without a manifest are deleted first
 */
export async function commitCheckpoint(modelDir: string, manifest: ManifestContent): Promise<string> {
  const { step } = manifest;
  const manifestPath = await commitManifest(modelDir, manifest);
  const steps = (await listCheckpoints(modelDir)).map((entry) => entry.step);
  await writeStateFiles(modelDir, step, steps, null);
  await removeReplacedFolders(modelDir, step);
  return manifestPath;
}

/** The commit without the state files. @returns path of the manifest. @throws as {@link commitCheckpoint} */
export async function commitManifest(modelDir: string, manifest: ManifestContent): Promise<string> {
  const { step, folder } = manifest;
  const manifestPath = join(modelDir, manifestFileName(step));
  const text = encodeManifest(manifest);
  const sections = join(modelDir, folder);
  const temporary = `${manifestPath}.tmp`;
  try {
    failpoint('checkpoint.beforeFolderRename');
    await renameFile(join(modelDir, temporaryFolderName(step)), sections);
    failpoint('checkpoint.afterFolderRename');
    await fsyncFolder(modelDir);
    failpoint('checkpoint.beforeManifestWrite');
    await writeFileFlushed(temporary, text);
    failpoint('checkpoint.beforeManifestRename');
    await renameFile(temporary, manifestPath);
  } catch (error) {
    // A rename that reports an error may have happened all the same (network file systems): look before deleting.
    if (!(await holdsText(manifestPath, text))) {
      await removeQuietly(temporary);
      await removeQuietly(sections);
    }
    throw error;
  }
  failpoint('checkpoint.afterManifestRename');
  await fsyncFolder(modelDir);
  failpoint('checkpoint.afterCommit');
  return manifestPath;
}

/** After a step was saved again: the folder of the save that was replaced. */
async function removeReplacedFolders(modelDir: string, step: number): Promise<void> {
  const current = await referencedFolder(modelDir, step);
  if (current.kind !== 'named') return;
  for (const name of await foldersOfStep(modelDir, step)) {
    if (name === current.folder) continue;
    failpoint('checkpoint.beforeReplacedDelete');
    await removeQuietly(join(modelDir, name));
  }
}

async function holdsText(path: string, text: string): Promise<boolean> {
  try {
    return (await readFile(path, 'utf8')) === text;
  } catch {
    return false;
  }
}
