import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EstimatorSpec, MonolithError } from '../../src/index.js';

const spec = new EstimatorSpec({
  mode: 'train',
  label: [1, 0],
  pred: [0.7, 0.2],
  headName: 'click',
  loss: 0.5,
  optimizer: { kind: 'adam' },
});

describe('#14 EstimatorSpec', () => {
  test('#14 headName, loss and optimizer default to none, classification to true', () => {
    const { headName, loss, optimizer, classification, label, pred, mode } = new EstimatorSpec({
      mode: 'predict',
      label: null,
      pred: [0.1],
    });
    assert.deepEqual([headName, loss, optimizer, classification], [null, null, null, true]);
    assert.deepEqual([mode, label, pred], ['predict', null, [0.1]]);
  });

  test('#14 replace changes the given fields and leaves the original alone; the same mode may be given', () => {
    const changed = spec.replace({ loss: 0.25, mode: 'train' });
    assert.equal(changed.loss, 0.25);
    assert.deepEqual({ ...changed, loss: 0.5 }, { ...spec });
    assert.equal(spec.loss, 0.5);
    assert.throws(() => Object.assign(spec, { loss: 1 }), TypeError);
  });

  test('#14 null sets a field to none, undefined leaves it as it is', () => {
    const changed = spec.replace({ headName: null, loss: undefined as unknown as null, classification: false });
    assert.deepEqual([changed.headName, changed.loss, changed.classification], [null, 0.5, false]);
  });

  test('#14 another mode is refused, naming both', () => {
    assert.throws(
      () => spec.replace({ mode: 'eval', loss: 0.25 }),
      (error: MonolithError) => {
        assert.equal(error.code, 'SpecModeChange');
        assert.match(error.message, /^Cannot change EstimatorSpec mode from train to eval/);
        assert.deepEqual(error.details, { current: 'train', requested: 'eval' });
        return true;
      },
    );
    assert.throws(() => spec.replace({ losss: 1 } as never), { code: 'InvalidArgument', message: /no field "losss"/ });
    assert.throws(() => new EstimatorSpec({ mode: 'training' as never }), MonolithError);
  });
});
