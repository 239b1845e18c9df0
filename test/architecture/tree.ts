import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Layout, Tree } from './rules.js';

/** The project's root, seen from dist/test/architecture. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url));

export function readProjectFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

export function projectFileExists(path: string): boolean {
  return existsSync(join(projectRoot, path));
}

export function readLayout(): Layout {
  return JSON.parse(readProjectFile('test/architecture/rooms.json')) as Layout;
}

/** Sources under src/ (TypeScript) and native/ (C++ and build scripts; not what a build left in native/out). */
export function readTree(): Tree {
  const paths = ['src', 'native'].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|cc|h|mjs)$/.test(entry.name))
      .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
      .filter((path) => !path.startsWith('native/out/')),
  );
  return new Map(paths.sort().map((path) => [path, readProjectFile(path)]));
}
