import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MonolithError } from '../base/index.js';
import { registerTask, taskNames } from './registry.js';
import type { Task } from './task.js';

/**
 * Loads JavaScript modules that register tasks: by calling registerTask, or by exporting a mapping of names to tasks,
 * `export const tasks = { 'ads.click': { config: … } }`, which needs no import of this package.
 *
 * @param files relative to the current folder; one named twice is loaded once.
 * @throws InvalidModel naming the file: not there, does not load, registers nothing; what registerTask throws
 */
export async function importTasks(files: readonly string[]): Promise<void> {
  for (const file of new Map(files.map((one) => [resolve(one), one])).values()) await importOne(file);
}

async function importOne(file: string): Promise<void> {
  const path = resolve(file);
  const fail = (text: string, cause?: unknown): MonolithError =>
    new MonolithError('InvalidModel', `--import ${file}: ${text}`, { file }, { cause });
  const found = await stat(path).catch((cause: unknown) => {
    throw fail(`no such file (looked for ${path})`, cause);
  });
  if (!found.isFile()) throw fail('is no file; it is to be a JavaScript module that registers tasks');
  const before = taskNames().length;
  let module: { readonly tasks?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly tasks?: unknown };
  } catch (cause) {
    // A name that is taken or wrong says so itself.
    if (cause instanceof MonolithError) throw cause;
    throw fail(`could not be loaded: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`, cause);
  }
  const { tasks = {} } = module;
  if (typeof tasks !== 'object' || tasks === null) throw fail('`tasks` must be a mapping of names to tasks');
  for (const [name, task] of Object.entries(tasks)) registerTask(name, task as Task);
  if (taskNames().length === before) throw fail("registers no task; write: export const tasks = { 'ads.click': { config: { … } } }");
}
