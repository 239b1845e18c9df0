import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MonolithError } from '../base/index.js';
import { defineModel, type ModelDefinition, type ModelOptions, type ModelSource } from './define.js';
import { builtInModel } from './registry.js';

/**
 * A model by the name of a built-in one, or from a JavaScript module of the user's that exports `model`: what {@link defineModel} returns or
 * takes. A name with a slash or a `.js`, `.mjs`, `.cjs` ending is a file, relative to the current folder.
 *
 * Throws UnknownModel for an unknown name; InvalidModel, naming the file, when it does not exist, does not load or exports no model.
 */
export async function loadModel(nameOrFile: string): Promise<ModelDefinition> {
  if (!/[/\\]|\.[cm]?js$/.test(nameOrFile)) return builtInModel(nameOrFile);
  const path = resolve(nameOrFile);
  const fail = (text: string, cause?: unknown) =>
    new MonolithError('InvalidModel', `${nameOrFile}: ${text}`, { file: nameOrFile }, { cause });
  const found = await stat(path).catch((cause: unknown) => {
    throw fail(`no such model file (looked for ${path})`, cause);
  });
  if (!found.isFile()) throw fail('is no file; a model is a JavaScript module that exports `model`');
  let module: { readonly model?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly model?: unknown };
  } catch (cause) {
    throw fail(`could not be loaded: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`, cause);
  }
  const { model } = module;
  if (model === undefined) {
    throw fail(`exports no \`model\`; write: export const model = { name: 'mine', options: {}, build(b, options) { … } }`);
  }
  if (typeof model !== 'object' || model === null || Array.isArray(model))
    throw fail('`model` must be an object with name, options and build');
  // defineModel checks every field.
  return defineModel(model as ModelSource<ModelOptions>, nameOrFile);
}
