import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MonolithError } from './errors.js';

/** Says where Monolith's folder lies, whatever the place of this module. */
const MAIN_DIR_VARIABLE = 'MONOLITH_MAIN_DIR';
/** Folders below which a Monolith lies, in order of preference; the last one is that of Monolith itself. */
const MARKS = ['/__main__/', '/site-packages/', '/monolith/'];

export type FolderSources = {
  /** Default: those of the process. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** The path from which to look upwards; default: this module's file. */
  readonly moduleFile?: string;
};

/**
 * The folder that has Monolith's folder `monolith` in it: MONOLITH_MAIN_DIR where it is set, else by the place of this module. The working
 * directory makes no difference.
 * @throws InvalidConfig when MONOLITH_MAIN_DIR has no `monolith` in it; NotFound when no folder above the module has.
 */
export function findMain({ variables = process.env, moduleFile = fileURLToPath(import.meta.url) }: FolderSources = {}): string {
  const given = variables[MAIN_DIR_VARIABLE];
  if (given !== undefined) {
    if (existsSync(join(given, 'monolith'))) return given;
    throw new MonolithError('InvalidConfig', `${MAIN_DIR_VARIABLE} does not contain monolith/ subdir: ${given}`, { folder: given });
  }
  const path = moduleFile.replaceAll('\\', '/');
  const mark = MARKS.find((one) => path.includes(one));
  if (mark !== undefined) {
    const at = path.lastIndexOf(mark);
    const folder = path.slice(0, mark === '/monolith/' ? at : at + mark.length - 1);
    if (existsSync(join(folder === '' ? '/' : folder, 'monolith'))) return folder === '' ? '/' : folder;
  }
  throw new MonolithError(
    'NotFound',
    `Unable to find the monolith base directory. This file directory is ${path.slice(0, path.lastIndexOf('/'))}. Are you running under bazel structure? Set ${MAIN_DIR_VARIABLE} to the folder that has monolith/ in it`,
    { moduleFile },
  );
}

/** Path of a library of operations: `name` below {@link findMain}. */
export function getLibopsPath(name: string, sources: FolderSources = {}): string {
  return join(findMain(sources), name);
}

/** Start of paths in HDFS, with or without a name node: `hdfs:/data`, `hdfs://host/data`. */
const HDFS = 'hdfs:/';

/** Whether a path begins at a root: that of HDFS, or one of this system. Any other path is relative to some folder. */
export function isabs(path: string): boolean {
  return isHdfsPath(path) || isAbsolute(path);
}

/** Whether a path lies in HDFS, which nothing here reads or writes. */
export function isHdfsPath(path: string): boolean {
  return path.startsWith(HDFS);
}
