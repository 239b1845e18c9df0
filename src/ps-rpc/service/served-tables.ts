import { MonolithError } from '../../base/index.js';
import { EmbeddingTable, type InitializerSpec, resolveInitializer } from '../../embedding/index.js';
import { type FidTable, type KernelBackend, OptimizerKind } from '../../kernels/index.js';
import { type OptimizerSpec, resolveOptimizer } from '../../optimizers/index.js';
import { checkDim, checkName, type PsLimits } from './limits.js';

/** A table that a shard is to serve from the start. */
export type ServedTableConfig = {
  readonly name: string;
  readonly slices: readonly {
    readonly name?: string;
    readonly dim: number;
    readonly optimizer: OptimizerSpec;
    /** Default zeros. */
    readonly initializer?: InitializerSpec;
  }[];
  /** Rows that this shard may hold; default: as many as memory holds. */
  readonly maxRows?: number;
};

/** A table as the service uses it. Nobody else may use it during a call; calls run one after another on the service's thread. */
export type ServedTable = {
  readonly table: FidTable;
  /** Base rate of each slice, used where a request gives none; null: only requests give rates. */
  readonly sliceRates: readonly number[] | null;
  /** Why requests may read its rows but neither make nor change any; undefined: they may. */
  readonly readOnly?: string;
};

/** Tables that exist already, such as those of a shard that also trains a job. Asked on every request. */
export type TableSource = { find(name: string): ServedTable | undefined; names(): Iterable<string> };

/** The tables of one shard: configured ones, those of a source, and those that requests have made. */
export class ServedTables {
  readonly #tables = new Map<string, ServedTable>();

  /** Throws InvalidConfig for a table that can't be. */
  constructor(
    private readonly backend: KernelBackend,
    private readonly seed: number,
    private readonly limits: PsLimits,
    configured: readonly ServedTableConfig[],
    private readonly source: TableSource | null,
  ) {
    for (const { name, slices, maxRows } of configured) {
      checkName('table', name, limits);
      if (this.find(name) !== undefined) throw new MonolithError('InvalidConfig', `table "${name}" is configured twice`, { table: name });
      const optimizers = slices.map(({ optimizer }) => resolveOptimizer(optimizer));
      const sliceRates = optimizers.map(({ learningRate }) => learningRate);
      const layout = slices.map((slice, k) => ({
        ...(slice.name !== undefined && { name: slice.name }),
        dim: slice.dim,
        initializer: resolveInitializer(slice.initializer ?? { kind: 'zeros' }),
        optimizer: optimizers[k],
      }));
      this.#tables.set(name, {
        table: new EmbeddingTable(backend, { name, slices: layout, sliceRates, maxRows: maxRows ?? 0 }, seed),
        sliceRates,
      });
    }
  }

  find(name: string): ServedTable | undefined {
    return this.#tables.get(name) ?? this.source?.find(name);
  }

  /** Names of all tables, in the order in which they came. */
  names(): string[] {
    return [...new Set([...(this.source?.names() ?? []), ...this.#tables.keys()])];
  }

  /** A table that nobody configured: zeros, and plain SGD with the rate of each request. Throws when there are too many or dim is out of range. */
  create(name: string, dim: number): ServedTable {
    const { limits } = this;
    checkName('table', name, limits);
    checkDim(name, dim, limits);
    const count = this.names().length;
    if (count >= limits.tables) {
      throw new MonolithError('ResourceExhausted', `table "${name}" would be number ${count + 1}; this shard holds ${limits.tables}`, {
        table: name,
        limit: limits.tables,
      });
    }
    const slices = [{ dim, initializer: resolveInitializer({ kind: 'zeros' }), optimizer: { kind: OptimizerKind.sgd, hyper: [0] } }];
    const spec = { name, slices, sliceRates: [0], maxRows: limits.rowsPerTable };
    const served = { table: new EmbeddingTable(this.backend, spec, this.seed), sliceRates: null };
    this.#tables.set(name, served);
    return served;
  }
}
