import type { BatchSlot } from '../tensor/index.js';

type TypedArray = Int32Array | Float32Array | BigInt64Array;

/** Copies of batches that are filled and not yet sent out, to be put into other slots: their own are wanted for something else meanwhile. */
export class HeldBatch {
  private readonly copies: readonly TypedArray[][];

  /** @param slots of one step, one a worker. */
  constructor(slots: readonly BatchSlot[]) {
    this.copies = slots.map((slot) => usedParts(slot).map((part) => part.slice()));
  }

  /** @param slots of the same layouts, in the same order; written. */
  putInto(slots: readonly BatchSlot[]): void {
    slots.forEach((slot, w) => {
      const [header] = this.copies[w];
      slot.header.set(header as Int32Array);
      usedParts(slot).forEach((part, i) => {
        (part as Float32Array).set(this.copies[w][i] as Float32Array);
      });
    });
  }
}

/** The parts of a slot that hold its examples, the header first: how long the others are stands in it. */
function usedParts(slot: BatchSlot): TypedArray[] {
  const { numExamples, layout } = slot;
  const groups = slot.groups.flatMap((group, g): TypedArray[] => {
    const offsets = group.offsets.subarray(0, numExamples * layout.groups[g].numFeatures + 1);
    const ids = Math.max(slot.numIds(g), offsets[offsets.length - 1]);
    return [offsets, group.fids.subarray(0, ids), ...(group.values === null ? [] : [group.values.subarray(0, ids)])];
  });
  return [
    slot.header,
    slot.labels.subarray(0, numExamples),
    slot.weights.subarray(0, numExamples),
    slot.dense.subarray(0, numExamples * layout.numDense),
    ...groups,
  ];
}
