import { randomBytes } from 'node:crypto';
import { constants, copyFile, cp, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fsyncFolder, MonolithError, makeFolderDurable, removeQuietly, renameDurable, writeFileFlushed } from '../base/index.js';
import { type CheckpointReader, verify } from '../checkpoint/index.js';
import { configToYaml, isModelFile, type TrainingConfig } from '../config/index.js';
import { loadModel } from '../models/index.js';
import { schemaInForce } from '../training/index.js';
import { lasting } from './run-record.js';

/**
 * Copies a checkpoint with all that predicting from it takes to `<folder>/<step>`: `config.yaml`, `schema.json`, the checkpoint, and the model's
 * file where the model is one. The folder appears under its name once it is whole, and is never written to again.
 *
 * @returns path of the new folder.
 * @throws InvalidConfig when it is there already, or a model file does not load from there; DiskFull, WriteFailed, CheckpointCorrupt.
 */
export async function exportRun(config: TrainingConfig, checkpoint: CheckpointReader, folder: string): Promise<string> {
  const target = join(folder, String(checkpoint.step));
  if (await isThere(target)) throw alreadyThere(target);
  await makeFolderDurable(folder);
  const temporary = join(folder, `.${checkpoint.step}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await makeFolderDurable(temporary);
    await copyCheckpoint(checkpoint, temporary);
    const model = await copyModel(config.model, temporary);
    const format = (checkpoint.manifest.fields as unknown as { data?: { format?: string } }).data?.format ?? config.data.format;
    const data = { ...config.data, train: [], eval: [], cache: 'off' };
    const split = { by: 'none', fraction: 0, column: null, evalValues: [], rows: null } as const;
    const kept = { ...lasting(config), model, modelDir: '.', data: { ...data, split } };
    await writeFileFlushed(join(temporary, 'config.yaml'), configToYaml(kept, '.'));
    await writeFileFlushed(join(temporary, 'schema.json'), `${JSON.stringify(schemaInForce(config.data, format), null, 2)}\n`);
    await verify(join(temporary, basename(checkpoint.entry.path)));
    await fsyncFolder(temporary);
    if (await isThere(target)) throw alreadyThere(target);
    await renameDurable(temporary, target);
    return target;
  } catch (error) {
    await removeQuietly(temporary);
    throw error;
  }
}

async function copyCheckpoint(checkpoint: CheckpointReader, to: string): Promise<void> {
  const { modelDir, path } = checkpoint.entry;
  if (checkpoint.base !== null) await copyCheckpoint(checkpoint.base, to);
  const { folder } = checkpoint.manifest;
  const from = join(modelDir, folder);
  if (await isThere(from)) {
    await cp(from, join(to, folder), { recursive: true, errorOnExist: true, mode: constants.COPYFILE_FICLONE });
    await fsyncFolder(join(to, folder));
  }
  await copyFile(path, join(to, basename(path)));
}

/** A model file goes along; a model of the zoo is its name. */
async function copyModel(model: string, to: string): Promise<string> {
  if (!isModelFile(model)) return model;
  const name = `model${extname(model)}`;
  await copyFile(model, join(to, name));
  try {
    await loadModel(join(to, name));
  } catch (cause) {
    throw new MonolithError(
      'InvalidConfig',
      `export: the model file ${model} does not load from another folder (${(cause as Error).message}); make it a file of its own, or import what it needs by package name`,
      { model },
      { cause },
    );
  }
  return `./${name}`;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function alreadyThere(path: string): MonolithError {
  return new MonolithError('InvalidConfig', `export: ${path} is there already and is not overwritten; choose another folder`, { path });
}
