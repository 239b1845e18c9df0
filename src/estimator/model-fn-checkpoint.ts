import { MonolithError } from '../base/index.js';
import { type CheckpointReader, CheckpointWriter, type ManifestFields, openCheckpoint, prune } from '../checkpoint/index.js';
import type { HookStates } from '../training/index.js';
import type { ModelFn } from './model-fn.js';
import { openNewest } from './session.js';

const STATE = 'model.state';

/** What a checkpoint of a model function keeps beside the model's state. */
export type ModelFnState = { readonly step: number; readonly hooks?: HookStates | undefined };

/** Writes a checkpoint of step and model state and prunes older ones. @returns path of its manifest. @throws DiskFull, WriteFailed, InvalidModel */
export async function saveModelFn(modelDir: string, model: ModelFn, state: ModelFnState, keep: number): Promise<string> {
  const writer = await CheckpointWriter.begin(modelDir, state.step);
  try {
    const bytes = await model.saveState?.();
    if (bytes !== undefined && !(bytes instanceof Uint8Array)) {
      throw new MonolithError('InvalidModel', 'saveState of the model function: expected a Uint8Array');
    }
    if (bytes !== undefined) await writer.writeSection(STATE, bytes);
    const path = await writer.commit(JSON.parse(JSON.stringify({ modelFunction: true, trainer: state })) as ManifestFields);
    await prune(modelDir, keep);
    return path;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/**
 * Gives the model the state of the newest checkpoint of a run folder, or of the one to start warm from.
 * @returns where training stands; null for a new run.
 * @throws CheckpointNotFound, CheckpointCorrupt, CheckpointIncompatible, InvalidModel
 */
export async function loadModelFn(
  modelDir: string,
  model: ModelFn,
  warmStartFrom: string | undefined,
): Promise<{ readonly state: ModelFnState; readonly path: string } | null> {
  const newest = await openNewest(modelDir);
  if (newest !== null) {
    await giveState(newest, model, false);
    return { state: newest.manifest.fields.trainer as unknown as ModelFnState, path: newest.entry.path };
  }
  if (warmStartFrom !== undefined) await giveState(await openCheckpoint(warmStartFrom), model, true);
  return null;
}

async function giveState(reader: CheckpointReader, model: ModelFn, needed: boolean): Promise<void> {
  const { path } = reader.entry;
  if (reader.manifest.fields.modelFunction !== true) {
    throw new MonolithError('CheckpointIncompatible', `${path} is no checkpoint of a model function; choose another modelDir`, { path });
  }
  if (!reader.hasSection(STATE)) {
    if (!needed) return;
    throw new MonolithError('CheckpointIncompatible', `${path} holds no state of the model to start from; it was saved without saveState`, {
      path,
    });
  }
  if (model.loadState === undefined) {
    throw new MonolithError('InvalidModel', `${path} holds a state of the model, but the model function has no loadState to take it`, {
      path,
    });
  }
  await model.loadState(await reader.section(STATE).readAll());
}
