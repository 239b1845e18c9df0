import { launchedPlace, type Variables } from '../base/index.js';

/** A value of an option, and the variable that it comes from. */
export type LauncherSetting = { readonly path: string; readonly value: unknown; readonly origin: string };

/** Discoveries that say themselves what a process is. */
const TELLING = ['tf-config', 'mlp'];

/**
 * Role, index and number of workers of a process that a launcher started: rank 0 is the chief, the others are workers. Nothing for a process
 * of a run on one host, for a parameter server, and where a launcher is not to be looked for.
 *
 * @param given value of an option by path; undefined where nobody gave one.
 */
export function launcherSettings(given: (path: string) => unknown, variables: Variables): LauncherSetting[] {
  const role = given('distributed.role');
  if (given('distributed.enabled') !== true || given('distributed.launcher') === 'none' || role === 'ps') return [];
  if (TELLING.includes(String(given('discovery.kind')))) return [];
  const place = launchedPlace(variables);
  if (place === null) return [];
  const { rank, size, rankVariable, sizeVariable } = place;
  const settings: LauncherSetting[] = [{ path: 'workers', value: size, origin: sizeVariable }];
  // Whoever says which process this is has taken the numbering over.
  if (role === 'chief' || given('distributed.index') !== undefined) return settings;
  settings.push({ path: 'distributed.index', value: rank, origin: rankVariable });
  settings.push({ path: 'distributed.role', value: rank === 0 ? 'chief' : 'worker', origin: rankVariable });
  return settings;
}
