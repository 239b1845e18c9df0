import { MonolithError } from '../../base/index.js';

/** What a shard takes from its clients, beside the limits of its connections. */
export type PsLimits = {
  /** Ids of one lookup or apply. */
  readonly idsPerRequest: number;
  /** Characters of a table's or barrier's name. */
  readonly nameLength: number;
  /** Tables, configured ones included. */
  readonly tables: number;
  /** Floats a row of a table that a request makes. */
  readonly dim: number;
  /** Rows of a table that a request makes; 0: as many as memory holds. */
  readonly rowsPerTable: number;
  /** Barriers with somebody waiting. */
  readonly barriers: number;
  /** Clients whose applies are remembered. */
  readonly sessions: number;
  /** Applies remembered a client, and held back a client until those before them come. */
  readonly window: number;
};

export const defaultPsLimits: PsLimits = {
  idsPerRequest: 1 << 20,
  nameLength: 256,
  tables: 4096,
  dim: 1 << 16,
  rowsPerTable: 0,
  barriers: 10_000,
  sessions: 1024,
  window: 4096,
};

/** Limits with defaults filled in. Throws InvalidConfig for a number that is none. */
export function resolvePsLimits(limits: Partial<PsLimits> = {}): PsLimits {
  const all = { ...defaultPsLimits, ...limits };
  for (const [name, value] of Object.entries(all)) {
    const lowest = name === 'rowsPerTable' ? 0 : 1;
    if (!Number.isInteger(value) || value < lowest) {
      throw new MonolithError('InvalidConfig', `limit ${name}: expected a whole number ≥ ${lowest}, got ${value}`, { limit: name, value });
    }
  }
  return all;
}

/** Throws InvalidArgument for a name that is empty, longer than allowed or holds control characters. `what`: 'table', 'barrier'. */
export function checkName(what: string, name: string, limits: PsLimits): void {
  if (name.length > limits.nameLength) {
    throw new MonolithError('InvalidArgument', `${what} name has ${name.length} characters; at most ${limits.nameLength} are allowed`, {
      length: name.length,
      limit: limits.nameLength,
    });
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (name === '' || /[\x00-\x1f\x7f]/.test(name)) {
    throw new MonolithError(
      'InvalidArgument',
      `${what} name ${JSON.stringify(name)}: expected at least one character, none of them a control character`,
    );
  }
}

/** Throws ResourceExhausted for a request with too many ids. */
export function checkIdCount(count: number, limits: PsLimits): void {
  if (count <= limits.idsPerRequest) return;
  throw new MonolithError('ResourceExhausted', `a request has ${count} ids; this shard takes ${limits.idsPerRequest}: send them in parts`, {
    count,
    limit: limits.idsPerRequest,
  });
}

/** Throws InvalidArgument for a row length that no new table may have. */
export function checkDim(table: string, dim: number, limits: PsLimits): void {
  if (dim >= 1 && dim <= limits.dim) return;
  throw new MonolithError('InvalidArgument', `table "${table}": dim_size must be in 1..${limits.dim}, got ${dim}`, { table, dim });
}
