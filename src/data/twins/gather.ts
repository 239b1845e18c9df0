// Assembling a batch from examples that lie in several parsed blocks. Twin of native/parsers/gather.cc.
import { MonolithError } from '../../base/index.js';
import { BatchHeader, BatchSlot } from '../../tensor/index.js';
import { ParsedBlock } from '../parsed-block.js';

/** See GatherExamples. */
export function gatherExamples(
  common: Int32Array,
  blocks: readonly Uint8Array[],
  shapes: Int32Array,
  picks: Int32Array,
  first: number,
  count: number,
  slotShape: Int32Array,
  slot: Uint8Array,
): void {
  const shapeLength = 1 + common[1];
  const sources = blocks.map((bytes, i) => {
    const shape = shapes.subarray(i * shapeLength, (i + 1) * shapeLength);
    return new ParsedBlock(bytes.buffer as SharedArrayBuffer, common, shape).slot;
  });
  const layout = {
    maxExamples: slotShape[0],
    numDense: common[0],
    groups: Array.from({ length: common[1] }, (_, g) => ({
      numFeatures: common[2 + g * 2],
      hasValues: common[3 + g * 2] !== 0,
      maxIds: slotShape[1 + g],
    })),
  };
  const out = new BatchSlot(layout, slot.buffer as SharedArrayBuffer, slot.byteOffset);
  let at = out.numExamples;
  if (at + count > layout.maxExamples) throw overflow('more examples than the slot holds');
  for (let i = first; i < first + count; i++, at++) {
    const from = sources[picks[i * 2]];
    const row = picks[i * 2 + 1];
    out.labels[at] = from.labels[row];
    out.weights[at] = from.weights[row];
    const { numDense } = layout;
    out.dense.set(from.dense.subarray(row * numDense, (row + 1) * numDense), at * numDense);
    layout.groups.forEach(({ numFeatures, maxIds }, g) => {
      const source = from.groups[g];
      const target = out.groups[g];
      const have = at === 0 ? 0 : target.offsets[at * numFeatures];
      const start = source.offsets[row * numFeatures];
      const end = source.offsets[(row + 1) * numFeatures];
      if (have + end - start > maxIds) throw overflow('more ids than the slot holds');
      target.fids.set(source.fids.subarray(start, end), have);
      if (target.values !== null && source.values !== null) target.values.set(source.values.subarray(start, end), have);
      target.offsets[at * numFeatures] = have;
      for (let j = 1; j <= numFeatures; j++) target.offsets[at * numFeatures + j] = source.offsets[row * numFeatures + j] + have - start;
    });
  }
  out.header[BatchHeader.numExamples] = at;
  layout.groups.forEach(({ numFeatures }, g) => {
    if (at > 0) out.header[BatchHeader.ids + g] = out.groups[g].offsets[at * numFeatures];
  });
}

function overflow(what: string): MonolithError {
  return new MonolithError('Internal', `gatherExamples: ${what}`);
}
