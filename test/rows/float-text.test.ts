import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { float32Text } from '../../src/rows/float-text.js';

test('floats have the text that C prints in the fewest digits', () => {
  // From printf in C, `%.*g` with the least number of digits that reads back.
  const texts =
    '0 -0 1 1.5 0.1 -0.1 1e+01 12.5 1e-05 0.0001 0.00012345 2.5e-05 16777216 1e+09 3.4028235e+38 1e-45 1.1754944e-38 inf -inf nan';
  for (const text of texts.split(' ')) {
    const value = text.endsWith('inf') ? Number(text.replace('inf', 'Infinity')) : Number(text);
    assert.equal(float32Text(Math.fround(value)), text);
  }
  // Halfway between two texts: the even digit.
  assert.deepEqual([2479233.25, -302557.125, 329539.625].map(float32Text), ['2479233.2', '-302557.12', '329539.62']);
});

test('every float reads back as itself, and with one digit less as another', () => {
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (pattern) => {
      bits[0] = pattern;
      const value = floats[0];
      if (!Number.isFinite(value)) return;
      const text = float32Text(value);
      assert.ok(Object.is(Math.fround(Number(text)), value), `${pattern}: ${text}`);
      const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').length;
      if (digits > 1) assert.notEqual(Math.fround(Number(value.toPrecision(digits - 1))), value, `${pattern}: ${text}`);
    }),
    { numRuns: 20_000 },
  );
});
