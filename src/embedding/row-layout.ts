import { MonolithError } from '../base/index.js';
import { OptimizerKind, optimizerStateLength, type SliceLayout } from '../kernels/index.js';

/** A slice with the name that configuration and `inspect` know it by. */
export type NamedSlice = SliceLayout & { readonly name?: string };

/** Where one slice lies in a record (values of all slices, then state slice by slice), in floats from its start. */
export type SliceInfo = {
  readonly name: string;
  readonly dim: number;
  readonly offset: number;
  readonly stateOffset: number;
  readonly stateLength: number;
};

/** Places of the slices in a record. Throws InvalidConfig naming table and slice when one can't be. */
export function rowLayout(table: string, slices: readonly NamedSlice[]): readonly SliceInfo[] {
  const fail = (what: string) => new MonolithError('InvalidConfig', `table "${table}": ${what}`, { table });
  if (slices.length === 0) throw fail('has no slices; expected at least one');
  const names = slices.map((slice, k) => slice.name ?? `slice${k}`);
  const infos: SliceInfo[] = [];
  let offset = 0;
  let stateOffset = slices.reduce((sum, slice) => sum + slice.dim, 0);
  slices.forEach((slice, k) => {
    const name = names[k];
    const { dim, optimizer } = slice;
    if (!Number.isInteger(dim) || dim < 1) throw fail(`slice "${name}": dim must be a whole number ≥ 1, got ${dim}`);
    if (names.indexOf(name) !== k) throw fail(`two slices are named "${name}"`);
    checkDivisor(fail, name, slice);
    const stateLength = optimizerStateLength(optimizer.kind, dim);
    infos.push({ name, dim, offset, stateOffset, stateLength });
    offset += dim;
    stateOffset += stateLength;
  });
  return infos;
}

/** Adagrad divides by √accumulator + epsilon: both 0 would make NaN of a row whose first gradient is 0. */
function checkDivisor(fail: (what: string) => MonolithError, name: string, { optimizer }: SliceLayout): void {
  const { kind, hyper } = optimizer;
  if ((kind === OptimizerKind.adagrad || kind === OptimizerKind.rowwiseAdagrad) && !(hyper[1] + hyper[2] > 0)) {
    throw fail(`slice "${name}": initialAccumulator and epsilon can't both be 0 (0/0 where a gradient is 0); set one above 0`);
  }
}
