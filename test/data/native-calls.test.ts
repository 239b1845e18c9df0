// Selection, shuffling, gathering and packing: the native calls against their twins.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../src/base/index.js';
import { compileProgram } from '../../src/data/compile.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers, type Parsers, UnpackResult } from '../../src/data/native-parsers.js';
import type { PipelineOptions, ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock, packedBound } from '../../src/data/parsed-block.js';
import type { Program } from '../../src/data/program.js';
import { S, SelectorKind } from '../../src/data/split.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import { type BatchLayout, BatchSlot } from '../../src/tensor/index.js';
import { frames, rowsOf, smallSchema, stepHash } from './helpers.js';

const native = loadNativeParsers();
const skip = native === null ? 'absent: the addon is not built' : false;

test('native code chooses the same records as its twin, by every kind of split', { skip }, () => {
  if (native === null) return;
  const random = new SeededRandom(3);
  for (const kind of Object.values(SelectorKind)) {
    for (const firstRecord of [0, 7, 2 ** 32 - 3, 2 ** 40]) {
      const selector = new Float64Array(S.words);
      selector[S.kind] = kind;
      selector[S.evaluation] = random.nextBelow(2);
      selector[S.seedLow] = random.nextUint32();
      selector[S.seedHigh] = random.nextUint32();
      selector[S.threshold] = random.nextUint32();
      selector[S.firstRow] = firstRecord + 4;
      selector[S.lastRow] = firstRecord + 60;
      const flags = Uint8Array.from({ length: 100 }, () => random.nextBelow(2) * 2);
      const run = (parsers: Parsers): Int32Array => {
        const picks = new Int32Array(300);
        const end = parsers.selectExamples(selector, flags, flags.length, 5, 3, firstRecord, picks, 11);
        return picks.slice(0, end * 2);
      };
      assert.deepEqual(run(native), run(referenceParsers));
    }
  }
});

test('native code shuffles as its twin', { skip }, () => {
  if (native === null) return;
  for (const count of [0, 1, 2, 3, 100, 5000]) {
    const run = (parsers: Parsers): Int32Array => {
      const picks = Int32Array.from({ length: count * 2 }, (_, i) => i);
      parsers.shufflePicks(picks, count, count * 77 + 1, 0xdeadbeef);
      return picks;
    };
    assert.deepEqual(run(native), run(referenceParsers));
  }
});

test('native code cuts blocks where its twin does', { skip }, () => {
  if (native === null) return;
  const piece = fc.constantFrom('a', ',', '"', '""', '\n', '\r\n', ' ', 'x,"y"', '"a\nb",');
  const same = (program: Program, bytes: Uint8Array): void => {
    for (let length = 0; length <= bytes.length; length += Math.max(1, bytes.length >> 5))
      assert.equal(native.lastRecordEnd(program, bytes, length), referenceParsers.lastRecordEnd(program, bytes, length), `${length}`);
  };
  for (const trim of [true, false]) {
    const csv = programOf('csv', { trim });
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => same(csv, Buffer.from(pieces.join('')))));
  }
  const tfrecord = programOf('tfrecord', { maxRecordBytes: 300 });
  const payloads = fc.array(fc.uint8Array({ maxLength: 320 }), { maxLength: 5 });
  fc.assert(
    fc.property(payloads, fc.option(fc.nat(400)), (contents, damage) => {
      const bytes = frames(contents);
      if (damage !== null && damage < bytes.length) bytes[damage] ^= 1;
      same(tfrecord, bytes);
    }),
    { numRuns: 60 },
  );
});

function programOf(format: ResolvedFormat, more: Partial<PipelineOptions>): Program {
  return compileProgram({
    options: completeOptions({ files: ['-'], ...more }),
    format,
    schema: smallSchema,
    columns: format === 'csv' ? ['y', 'x', 'a', 'tags', 'z'] : null,
    groups: [{ features: [0, 1, 2], hasValues: false }],
    numFields: 0,
    separator: 44,
    labelType: 'int32',
    denseType: 'int32',
    where: 'test',
  });
}

type Shape = { rows: number; numDense: number; groups: { features: number; hasValues: boolean; regular: boolean; width: number }[] };
const shapes: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 0, max: 40 }),
  numDense: fc.integer({ min: 0, max: 5 }),
  groups: fc.array(
    fc.record({
      features: fc.integer({ min: 1, max: 5 }),
      hasValues: fc.boolean(),
      regular: fc.boolean(),
      width: fc.constantFrom(32, 48, 64),
    }),
    { maxLength: 3 },
  ),
});

/** A block of made-up examples. */
function blockOf({ rows, numDense, groups }: Shape, seed: number): ParsedBlock {
  const random = new SeededRandom(seed);
  const layout: BatchLayout = {
    maxExamples: rows + 3,
    numDense,
    groups: groups.map(({ features, hasValues }) => ({ numFeatures: features, hasValues, maxIds: (rows + 3) * features * 300 })),
  };
  const block = ParsedBlock.allocate(layout);
  const { slot } = block;
  const plainWeights = random.nextBelow(2) === 0;
  for (let i = 0; i < rows; i++) {
    slot.labels[i] = random.nextFloat();
    slot.weights[i] = plainWeights ? 1 : random.nextFloat();
    block.flags[i] = random.nextBelow(8) === 0 ? 2 : 0;
  }
  for (let i = 0; i < rows * numDense; i++) slot.dense[i] = random.nextFloat();
  slot.header[0] = rows;
  groups.forEach(({ features, regular, width }, g) => {
    const { fids, offsets, values } = slot.groups[g];
    let ids = 0;
    for (let bag = 0; bag < rows * features; bag++) {
      const length = regular ? 1 : random.nextBelow(50) === 0 ? 290 : random.nextBelow(4);
      for (let k = 0; k < length; k++, ids++) {
        const low = (BigInt(random.nextUint32()) << 32n) | BigInt(random.nextUint32());
        fids[ids] = BigInt.asIntN(64, (BigInt(bag % features) << 48n) | BigInt.asUintN(Math.min(width, 63), low));
        if (values !== null) values[ids] = g % 2 === 0 ? 1 : random.nextFloat();
      }
      offsets[bag + 1] = ids;
    }
    slot.header[8 + g] = ids;
  });
  return block;
}

const contents = (block: ParsedBlock): unknown => ({
  rows: rowsOf(block.slot),
  flags: [...block.flags.subarray(0, block.numExamples)],
  header: [...block.slot.header.subarray(0, 2), ...block.slot.header.subarray(8)],
});

test('what is packed comes back, and both backends write the same bytes', { skip }, () => {
  if (native === null) return;
  fc.assert(
    fc.property(shapes, fc.integer({ min: 0, max: 1e6 }), (shape, seed) => {
      const block = blockOf(shape, seed);
      block.slot.header[1] = block.numExamples;
      const before = contents(block);
      const packed = [native, referenceParsers].map((parsers) => {
        const out = new Uint8Array(packedBound(block)).fill(0xaa);
        const result = new Float64Array(2);
        parsers.packBlock(block.common, block.shape, block.bytes, out, result);
        return { bytes: out.slice(0, result[0]), checksum: result[1] };
      });
      assert.deepEqual(packed[0], packed[1]);
      const [{ bytes, checksum }] = packed;
      for (const parsers of [native, referenceParsers]) {
        const into = ParsedBlock.allocate(block.slot.layout);
        into.bytes.fill(0x55);
        const shifted = new Uint8Array(bytes.length + 3);
        shifted.set(bytes, 3);
        assert.equal(parsers.unpackBlock(shifted, 3, bytes.length, checksum, into.common, into.shape, into.bytes), UnpackResult.good);
        const header = (into.slot.header as Int32Array).slice();
        assert.equal(header[0], block.numExamples);
        assert.deepEqual(contents(into), before);
      }
    }),
    { numRuns: 60 },
  );
});

test('packed bytes that are damaged are refused, whatever their checksum says', { skip }, () => {
  if (native === null) return;
  const groups = [
    { features: 2, hasValues: true, regular: false, width: 48 },
    { features: 3, hasValues: false, regular: true, width: 32 },
  ];
  const block = blockOf({ rows: 9, numDense: 2, groups }, 4);
  const out = new Uint8Array(packedBound(block));
  const result = new Float64Array(2);
  native.packBlock(block.common, block.shape, block.bytes, out, result);
  const whole = out.slice(0, result[0]);
  const into = ParsedBlock.allocate(block.slot.layout);
  const unpack = (parsers: Parsers, bytes: Uint8Array, checksum: number): number =>
    parsers.unpackBlock(bytes, 0, bytes.length, checksum, into.common, into.shape, into.bytes);
  assert.equal(unpack(native, whole, result[1] ^ 1), UnpackResult.checksum);
  assert.equal(unpack(referenceParsers, whole, result[1] ^ 1), UnpackResult.checksum);
  for (let at = 0; at < whole.length; at++) {
    const cut = whole.slice(0, at);
    const flipped = whole.slice();
    flipped[at] ^= 0xff;
    for (const bytes of [cut, flipped]) {
      const checksum = native.checksum(bytes, 0, bytes.length);
      assert.equal(checksum, referenceParsers.checksum(bytes, 0, bytes.length));
      assert.equal(unpack(native, bytes, checksum), unpack(referenceParsers, bytes, checksum), `byte ${at}`);
    }
    assert.equal(unpack(native, cut, native.checksum(cut, 0, cut.length)), UnpackResult.malformed);
  }
});

test('native code gathers as its twin, from blocks of one id a bag and from others', { skip }, () => {
  if (native === null) return;
  fc.assert(
    fc.property(shapes, fc.integer({ min: 0, max: 1e6 }), (shape, seed) => {
      const rows = shape.rows + 2;
      const sources = [0, 1].map((k) => {
        const block = blockOf({ ...shape, rows }, seed + k);
        // Through the packed form, which marks blocks of one id a bag.
        const out = new Uint8Array(packedBound(block));
        const result = new Float64Array(2);
        native.packBlock(block.common, block.shape, block.bytes, out, result);
        native.unpackBlock(out, 0, result[0], result[1], block.common, block.shape, block.bytes);
        return block;
      });
      const random = new SeededRandom(seed);
      const count = 60;
      const picks = Int32Array.from({ length: count * 2 }, (_, i) => random.nextBelow(i % 2 === 0 ? 2 : rows));
      const { layout } = sources[0].slot;
      const large = { ...layout, maxExamples: count, groups: layout.groups.map((g) => ({ ...g, maxIds: count * g.numFeatures * 300 })) };
      const hashes = [native, referenceParsers].map((parsers) => {
        const slot = new BatchSlot(large, new SharedArrayBuffer(BatchSlot.byteLength(large)), 0);
        const slotShape = Int32Array.from([large.maxExamples, ...large.groups.map((g) => g.maxIds)]);
        const [{ common }] = sources;
        const shapeWords = Int32Array.from(sources.flatMap((block) => [...block.shape]));
        const bytes = sources.map((block) => block.bytes);
        for (const [first, n] of [
          [0, 25],
          [25, 35],
        ])
          parsers.gatherExamples(common, bytes, shapeWords, picks, first, n, slotShape, new Uint8Array(slot.buffer));
        return stepHash([slot]);
      });
      assert.equal(hashes[0], hashes[1]);
    }),
    { numRuns: 40 },
  );
});
