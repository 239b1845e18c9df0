/** Environment variables by name. */
export type Variables = { readonly [name: string]: string | undefined };

/** What starts the processes of a job and numbers them: BytePS, or Horovod and Open MPI. */
export type LauncherBackend = 'byteps' | 'horovod';

const WITH_BYTEPS = 'MONOLITH_WITH_BYTEPS';

/** Names under which launchers say what a process is; the first one that is set decides. */
const NAMES = {
  byteps: {
    rank: ['BYTEPS_RANK', 'RANK'],
    size: ['BYTEPS_SIZE', 'WORLD_SIZE'],
    localRank: ['BYTEPS_LOCAL_RANK', 'LOCAL_RANK'],
    localSize: ['BYTEPS_LOCAL_SIZE', 'LOCAL_WORLD_SIZE'],
  },
  horovod: {
    rank: ['HOROVOD_RANK', 'OMPI_COMM_WORLD_RANK', 'RANK'],
    size: ['HOROVOD_SIZE', 'OMPI_COMM_WORLD_SIZE', 'WORLD_SIZE'],
    localRank: ['HOROVOD_LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'LOCAL_RANK'],
    localSize: ['HOROVOD_LOCAL_SIZE', 'OMPI_COMM_WORLD_LOCAL_SIZE', 'LOCAL_WORLD_SIZE'],
  },
} as const;

type Figure = keyof typeof NAMES.byteps;

/** Least values: a process alone has rank 0 of 1. They are also what holds where nothing is set or it can't be read. */
const LEAST: Readonly<Record<Figure, number>> = { rank: 0, size: 1, localRank: 0, localSize: 1 };

/**
 * BytePS when MONOLITH_WITH_BYTEPS is 1, true, yes, y, on (in any case, blanks around it) or any whole number but 0; else Horovod, whose
 * names go with those of Open MPI.
 * @param variables default: those of the process.
 */
export function launcherBackend(variables: Variables = process.env): LauncherBackend {
  const text = (variables[WITH_BYTEPS] ?? '').trim().toLowerCase();
  if (['1', 'true', 'yes', 'y', 'on'].includes(text)) return 'byteps';
  return /^[+-]?\d+$/.test(text) && !/^[+-]?0+$/.test(text) ? 'byteps' : 'horovod';
}

/** This process's number among all, from 0. */
export function launcherRank(variables: Variables = process.env): number {
  return numberOf('rank', variables).value;
}

/** Number of processes, at least 1. */
export function launcherSize(variables: Variables = process.env): number {
  return numberOf('size', variables).value;
}

/** This process's number among those of its host, from 0. */
export function launcherLocalRank(variables: Variables = process.env): number {
  return numberOf('localRank', variables).value;
}

/** Number of processes on this host, at least 1. */
export function launcherLocalSize(variables: Variables = process.env): number {
  return numberOf('localSize', variables).value;
}

/** A process's number and how many there are, with the variables that say so. */
export type LaunchedPlace = {
  readonly rank: number;
  readonly size: number;
  readonly rankVariable: string;
  readonly sizeVariable: string;
};

/**
 * What a launcher says of this process; null where none started it: then no variable for the rank or none for the size is set, or one
 * that is set can't be read, or the two do not go together.
 */
export function launchedPlace(variables: Variables = process.env): LaunchedPlace | null {
  const rank = numberOf('rank', variables);
  const size = numberOf('size', variables);
  if (!rank.readable || !size.readable || rank.value >= size.value) return null;
  return { rank: rank.value, size: size.value, rankVariable: rank.name, sizeVariable: size.name };
}

function numberOf(which: Figure, variables: Variables): { readonly value: number; readonly name: string; readonly readable: boolean } {
  const names: readonly string[] = NAMES[launcherBackend(variables)][which];
  const name = names.find((one) => variables[one] !== undefined);
  const text = name === undefined ? '' : (variables[name] ?? '').trim();
  const given = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  const readable = Number.isSafeInteger(given) && given >= LEAST[which];
  return { value: readable ? given : LEAST[which], name: name ?? '', readable };
}
