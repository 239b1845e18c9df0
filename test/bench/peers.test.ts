import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  aucOfPredictions,
  figuresOfScript,
  figuresOfXlearn,
  torchContenders,
  vwContenders,
  xlearnContenders,
} from '../../src/bench/peers/contenders.js';
import { findGenerator, findPython, findVw, findXlearn } from '../../src/bench/peers/programs.js';
import { bestOf, ofOneGroupTogether } from '../../src/bench/peers/suite.js';
import type { RunOutcome } from '../../src/bench/training-run.js';
import { ratioOf, takeTurns } from '../../src/bench/training-suites.js';
import { temporaryFolder } from '../helpers/cli.js';

const folder = await temporaryFolder('peers');
after(() => folder.remove());

const outcome = (rate: number | null, auc: number | null = null): RunOutcome => {
  return { samplesPerSecond: rate, auc, logloss: null, seconds: 1, info: {}, problem: rate === null ? 'out of memory' : null };
};

describe('a peer that is not there', () => {
  test('is absent with the reason, whatever it is', async () => {
    const missing = folder.in('no-such-program');
    assert.match((await findVw(missing)).absent ?? '', /ENOENT/);
    assert.match((await findXlearn(missing)).absent ?? '', /ENOENT/);
    assert.match((await findPython(missing, 'torch', folder.in('torch_ctr.py'))).absent ?? '', /no .*torch_ctr\.py/);
    assert.equal((await findGenerator(null, folder.path)).absent, 'no --peers-dir');
    assert.match((await findGenerator(folder.path, folder.path)).absent ?? '', /neither gen nor gen_criteo_like\.c/);
  });

  test('a program that says nothing of itself is not taken for a peer', async () => {
    assert.notEqual((await findVw(process.execPath)).absent, null);
    assert.notEqual((await findXlearn('true')).absent, null);
  });

  test('keeps its place in the list of settings', () => {
    const place = { folder: null, scratch: folder.path, cores: 2, data: () => assert.fail('no data are asked for') };
    const absent = { path: null, absent: 'not installed' } as const;
    const all = [...torchContenders(place, absent), ...vwContenders(place, absent), ...xlearnContenders(place, absent)];
    assert.equal(all.length, 16 + 1 + 2);
    assert.ok(all.every((peer) => peer.absent === 'not installed'));
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
  });
});

describe('figures of peers', () => {
  test('come from the last line of a script', () => {
    const text = 'warning\n{"peer": "torch", "samples_s": 30000.5, "auc": 0.69, "logloss": 0.53}\n';
    assert.deepEqual(figuresOfScript(text), { samplesPerSecond: 30000.5, auc: 0.69, logloss: 0.53 });
    assert.deepEqual(figuresOfScript('{"samples_s": 1}'), { samplesPerSecond: 1, auc: null, logloss: null });
    assert.deepEqual(figuresOfScript('{"samples_s": 2, "auc": NaN}'), { samplesPerSecond: 2, auc: null, logloss: null });
    assert.equal(figuresOfScript('Traceback'), null);
  });

  test('come from the table of xLearn, with and without a test set, coloured or not', () => {
    const coloured =
      '\u001b[32m[------------] Epoch      Train log_loss     Time cost (sec)\u001b[0m\n\u001b[39m[  100%      ]     1            0.548800                0.56\u001b[0m\n';
    assert.deepEqual(figuresOfXlearn(coloured), { epochSeconds: 0.56, auc: null });
    assert.deepEqual(
      figuresOfXlearn('[  100%      ]     1            0.548800            0.541683            0.682611                0.60'),
      { epochSeconds: 0.6, auc: 0.682611 },
    );
    assert.equal(figuresOfXlearn('[ ERROR      ] nothing'), null);
  });

  test('AUC of Vowpal Wabbit is that of its predictions', () => {
    assert.equal(aucOfPredictions('-1.5\n0.5\n2\n-3\n', '-1 |a 1\n1 |a 2\n1 |a 3\n-1 |a 4\n'), 1);
  });
});

describe('turns', () => {
  test('go A B A B; one that fails is left out of later rounds', async () => {
    const order: string[] = [];
    const contender = (name: string, rates: readonly (number | null)[]) => ({
      name,
      run: async (round: number) => {
        order.push(name);
        return outcome(rates[round], round === 0 ? 0.7 : null);
      },
    });
    const turns = await takeTurns([contender('a', [10, 12]), contender('b', [null, 1])], 2, () => {});
    assert.deepEqual(order, ['a', 'b', 'a']);
    assert.deepEqual(turns.get('a')?.rates, [10, 12]);
    assert.equal(turns.get('a')?.last?.auc, 0.7);
    assert.equal(turns.get('b')?.problem, 'out of memory');
    assert.equal(bestOf(['a', 'b'], turns), 'a');
    assert.equal(bestOf(['b'], turns), null);
  });

  test('a ratio has the pairs as samples and the ratio of the medians beside them', () => {
    const turn = (rates: number[]) => ({ rates, last: null, problem: null });
    const ratio = ratioOf('r', turn([10, 30, 20]), turn([5, 10, 10]));
    assert.deepEqual(ratio.values, [2, 3, 2]);
    assert.equal(ratio.info['ratio of medians'], 2);
  });

  test('what is compared stands side by side in a round', () => {
    const one = (name: string, group: 'fm' | 'lr') => ({ name, group, run: async () => outcome(1) });
    const order = ofOneGroupTogether([one('ours lr', 'lr'), one('ours fm', 'fm')], [one('peer fm', 'fm'), one('peer lr', 'lr')]);
    assert.deepEqual(
      order.map(({ name }) => name),
      ['ours fm', 'peer fm', 'ours lr', 'peer lr'],
    );
  });
});
