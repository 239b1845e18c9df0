import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FidTable, RowFormat } from '../../../src/kernels/index.js';
import { bits, type Candidate, generator, options, randomFloats, slice } from './backends.js';

type Batch = { readonly fids: BigInt64Array; readonly rows: Float32Array; readonly handles: Int32Array };

function look(table: FidTable, fids: BigInt64Array, create: boolean): Batch {
  const rows = new Float32Array(fids.length * table.dim);
  const handles = new Int32Array(fids.length);
  table.lookup(fids, 0, fids.length, create, 1, rows, handles);
  return { fids, rows, handles };
}

/** `count` distinct ids below `below`. */
function distinct(count: number, below: number, next: () => number): BigInt64Array {
  const ids = new Set<bigint>();
  while (ids.size < count) ids.add(BigInt(next() % below));
  return BigInt64Array.from(ids);
}

/** Promises of FidTable.refresh, on one implementation. */
export function refreshSuite({ name, kernels }: Candidate): void {
  const layouts = [[1], [16], [1, 16], [5]].flatMap((dims) => Object.entries(RowFormat).map(([word, format]) => ({ dims, word, format })));
  for (const { dims, word, format } of layouts) {
    test(`${name}: rows looked up before an update and refreshed after it are those of a lookup after it (slices ${dims}, ${word})`, () => {
      const table = kernels.createTable(
        options(
          dims.map((dim) => slice(dim)),
          { format },
        ),
      );
      const next = generator(3);
      for (let round = 0; round < 6; round++) {
        const size = round === 0 ? 3 : 3000;
        const sources = [look(table, distinct(size, 9000, next), true), look(table, distinct(size, 9000, next), true)];
        const targets = [0, 1, 2].map(() => look(table, distinct(size, 9000, next), round % 2 === 0));
        const starts = Int32Array.of(1, 0);
        const counts = Int32Array.of(size - 1, size - 2);
        const gradients = sources.map(() => randomFloats(size * table.dim, next));
        table.apply(
          sources.map(({ handles }) => handles),
          starts,
          counts,
          gradients,
          new Float32Array(dims.length).fill(0.1),
          0,
          sources.map(({ fids }) => fids),
          round,
        );
        // The third target is left out but for its last two rows.
        const targetStarts = Int32Array.of(0, 0, size - 2);
        const targetCounts = Int32Array.of(size, size, 2);
        const before = targets[2].rows.slice();
        table.refresh(
          sources.map(({ handles }) => handles),
          starts,
          counts,
          targets.map(({ handles }) => handles),
          targetStarts,
          targetCounts,
          targets.map(({ rows }) => rows),
        );
        const now = targets.map(({ fids }) => look(table, fids, false).rows);
        assert.deepEqual(bits(targets[0].rows), bits(now[0]));
        assert.deepEqual(bits(targets[1].rows), bits(now[1]));
        const kept = (size - 2) * table.dim;
        assert.deepEqual(bits(targets[2].rows.subarray(0, kept)), bits(before.subarray(0, kept)));
        assert.deepEqual(bits(targets[2].rows.subarray(kept)), bits(now[2].subarray(kept)));
      }
    });
  }

  test(`${name}: refresh refuses what would read or write elsewhere`, () => {
    const table = kernels.createTable(options([slice(4)]));
    const { handles, rows } = look(table, BigInt64Array.of(1n, 2n), true);
    const one = Int32Array.of(0);
    const two = Int32Array.of(2);
    const refresh = (changes: {
      sources?: Int32Array[];
      counts?: Int32Array;
      targets?: Int32Array[];
      starts?: Int32Array;
      rows?: Float32Array[];
    }) =>
      table.refresh(
        changes.sources ?? [handles],
        one,
        changes.counts ?? two,
        changes.targets ?? [handles],
        changes.starts ?? one,
        two,
        changes.rows ?? [rows],
      );
    refresh({});
    const wrong: Parameters<typeof refresh>[0][] = [
      { sources: [Int32Array.of(0, 2)] },
      { counts: Int32Array.of(3) },
      { targets: [Int32Array.of(-2, 0)] },
      { targets: [Int32Array.of(0, 1000)] },
      { starts: Int32Array.of(1) },
      { starts: Int32Array.of(-1) },
      { rows: [new Float32Array(7)] },
      { rows: [] },
    ];
    for (const changes of wrong) assert.throws(() => refresh(changes), { code: 'ShapeMismatch' });
  });
}
