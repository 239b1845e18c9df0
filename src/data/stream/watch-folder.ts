import { type FSWatcher, watch } from 'node:fs';

/** How often files are looked at besides: not every file system tells of changes. */
export const LOOK_EVERY_MS = 1000;

/**
 * Tells of changes in a folder.
 * @param concerns whether a name in it matters.
 * @returns null where the system can't watch it: then looking every {@link LOOK_EVERY_MS} is all there is.
 */
export function watchFolder(folder: string, concerns: (name: string) => boolean, onChange: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, (_, name) => {
      if (name === null || concerns(name)) onChange();
    });
    // The folder may go away; looking goes on.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
