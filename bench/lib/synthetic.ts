import { makeFid, SeededRandom } from '../../src/base/index.js';
import { BatchHeader, type BatchLayout, type BatchSlot } from '../../src/tensor/index.js';

/** A layout of single-valued features without values. */
export function flatLayout(maxExamples: number, numDense: number, features: readonly number[]): BatchLayout {
  return {
    maxExamples,
    numDense,
    groups: features.map((numFeatures) => ({ numFeatures, maxIds: maxExamples * numFeatures, hasValues: false })),
  };
}

/** Fills the slots of one step with made-up examples: a function of (seed, step, worker) alone. */
export function fillStep(slots: readonly BatchSlot[], seed: number, step: number, vocabulary: number, numExamples?: number): number {
  let total = 0;
  slots.forEach((slot, worker) => {
    const { layout } = slot;
    const random = new SeededRandom(seed * 1_000_003 + step * 1009 + worker);
    const count = numExamples ?? layout.maxExamples;
    for (let i = 0; i < count; i++) {
      slot.labels[i] = random.nextFloat() < 0.3 ? 1 : 0;
      slot.weights[i] = 1;
      for (let d = 0; d < layout.numDense; d++) slot.dense[i * layout.numDense + d] = random.nextFloat();
    }
    layout.groups.forEach(({ numFeatures }, g) => {
      const { fids, offsets } = slot.groups[g];
      offsets[0] = 0;
      for (let i = 0; i < count * numFeatures; i++) {
        fids[i] = makeFid(1 + (i % numFeatures), BigInt(random.nextBelow(vocabulary)));
        offsets[i + 1] = i + 1;
      }
      slot.header[BatchHeader.ids + g] = count * numFeatures;
    });
    slot.header[BatchHeader.numExamples] = count;
    total += count;
  });
  for (const slot of slots) slot.header[BatchHeader.globalExamples] = total;
  return total;
}
