import { describe, test } from 'node:test';
import { Activation, type KernelBackend, referenceBackend, selectBackend } from '../../src/kernels/index.js';
import {
  ActivationLayer,
  Add,
  BatchNorm,
  Bias,
  CompressedInteraction,
  Concat,
  CrossV1,
  CrossV2,
  Dense,
  DotInteraction,
  Dropout,
  FactorizationMachine,
  FieldAwareFactorizationMachine,
  type Layer,
  Multiply,
  Slice,
  SumLastAxis,
  Transpose,
} from '../../src/layers/index.js';
import { checkLayer } from '../helpers/layer-check.js';

type Case = { readonly title: string; readonly shapes: readonly (readonly number[])[]; readonly make: () => Layer };

const { none, relu, sigmoid, tanh } = Activation;
/** One array object twice stands for one node used twice. */
const vector = [5];
const fields = [4, 3];
const normOptions = { momentum: 0.9, epsilon: 1e-3 };

const cases: readonly Case[] = [
  { title: 'dense without activation', shapes: [[5]], make: () => new Dense(5, 3, { activation: none, useBias: true }) },
  { title: 'dense with tanh on a matrix', shapes: [[2, 3]], make: () => new Dense(6, 4, { activation: tanh, useBias: true }) },
  { title: 'dense with sigmoid, no bias', shapes: [[4]], make: () => new Dense(4, 1, { activation: sigmoid, useBias: false }) },
  { title: 'bias', shapes: [], make: () => new Bias(3) },
  { title: 'concat', shapes: [[3], [2, 2], [1]], make: () => new Concat([[3], [2, 2], [1]]) },
  { title: 'concat of a node with itself', shapes: [vector, vector], make: () => new Concat([vector, vector]) },
  { title: 'slice of rows', shapes: [fields], make: () => new Slice(fields, 1, 3) },
  { title: 'slice of a vector', shapes: [[6]], make: () => new Slice([6], 4, 6) },
  { title: 'transpose', shapes: [fields], make: () => new Transpose(fields) },
  { title: 'add', shapes: [[3], [3], [3]], make: () => new Add([[3], [3], [3]]) },
  { title: 'add of a node to itself', shapes: [vector, vector], make: () => new Add([vector, vector]) },
  {
    title: 'multiply',
    shapes: [
      [2, 3],
      [2, 3],
    ],
    make: () => new Multiply([2, 3], [2, 3]),
  },
  { title: 'multiply of a node with itself', shapes: [vector, vector], make: () => new Multiply(vector, vector) },
  { title: 'sum of a vector', shapes: [[7]], make: () => new SumLastAxis([7]) },
  { title: 'sum of rows', shapes: [fields], make: () => new SumLastAxis(fields) },
  { title: 'activation tanh', shapes: [[4]], make: () => new ActivationLayer([4], tanh) },
  { title: 'activation sigmoid', shapes: [[2, 2]], make: () => new ActivationLayer([2, 2], sigmoid) },
  { title: 'fm', shapes: [fields], make: () => new FactorizationMachine(fields) },
  { title: 'ffm', shapes: [[3, 3, 2]], make: () => new FieldAwareFactorizationMachine([3, 3, 2]) },
  { title: 'dot-interaction', shapes: [fields], make: () => new DotInteraction(fields) },
  { title: 'dot-interaction of two', shapes: [[2, 5]], make: () => new DotInteraction([2, 5]) },
  { title: 'cross-v1', shapes: [[5], [5]], make: () => new CrossV1([5], [5]) },
  { title: 'cross-v1 of a node with itself', shapes: [vector, vector], make: () => new CrossV1(vector, vector) },
  { title: 'cross-v2', shapes: [[4], [4]], make: () => new CrossV2([4], [4]) },
  { title: 'cross-v2 of a node with itself', shapes: [vector, vector], make: () => new CrossV2(vector, vector) },
  { title: 'cin', shapes: [[3, 2], fields.toReversed()], make: () => new CompressedInteraction([3, 2], [3, 4], 5, none) },
  {
    title: 'cin with tanh of a node with itself',
    shapes: [fields, fields],
    make: () => new CompressedInteraction(fields, fields, 2, tanh),
  },
  { title: 'batch-norm', shapes: [[3]], make: () => new BatchNorm([3], normOptions) },
  { title: 'dropout', shapes: [[6]], make: () => new Dropout([6], 0.4, 3) },
];

function backends(): readonly KernelBackend[] {
  const { backend } = selectBackend('auto');
  return backend.name === 'native' ? [referenceBackend(), backend] : [backend];
}

for (const kernels of backends()) {
  describe(`backward against finite differences on ${kernels.name} kernels`, () => {
    for (const { title, shapes, make } of cases) {
      // 11 rows in room for 13: more than a block of cin, no multiple of a register, and a chunk that is not full.
      test(`${title}, overwriting its input gradients`, () => {
        for (const rows of [2, 11]) checkLayer(make(), { kernels, inputShapes: shapes, rows, capacity: rows + 2 });
      });
      test(`${title}, adding to its input gradients`, () => {
        checkLayer(make(), { kernels, inputShapes: shapes, rows: 3, accumulate: true });
      });
    }
    test('relu away from its kink', () => {
      checkLayer(new Dense(2, 2, { activation: relu, useBias: true }), { kernels, inputShapes: [[2]], rows: 2 });
      checkLayer(new ActivationLayer([4], relu), { kernels, inputShapes: [[4]], rows: 3 });
    });
  });
}
