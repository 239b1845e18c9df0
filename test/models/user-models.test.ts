import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { selectBackend } from '../../src/kernels/index.js';
import { checkGradients, gradientCheckInputs, loadModel, planModel } from '../../src/models/index.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'user-models-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function modelFile(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function rejectsWith(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof MonolithError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };
}

describe("a user's own model", () => {
  test('is loaded from a file, takes its options and passes the gradient check', async () => {
    const path = await modelFile(
      'mine.mjs',
      `export const model = {
         name: 'mine',
         options: { units: 6 },
         build(b, { units }) {
           const e = b.embedding({ name: 'e', dim: 4 });
           const deep = b.mlp(b.concat([e, b.denseInput()]), [units], { name: 'tower' });
           return b.add([b.dense(deep, 1), b.linear(), b.fm(e)]);
         },
       };`,
    );
    const definition = await loadModel(path);
    assert.equal(planModel(definition, { units: 9 }, gradientCheckInputs).parameters[0].shape[1], 9);
    assert.ok(checkGradients(definition, { kernels: selectBackend('auto').backend }).checked > 20);
  });

  test('the example that ships passes the gradient check', async () => {
    const definition = await loadModel(join(import.meta.dirname, '../../../examples/custom-model.js'));
    assert.ok(checkGradients(definition, { kernels: selectBackend('auto').backend }).checked > 20);
  });

  test('may bring a layer of its own: the one of the documentation passes the gradient check', async () => {
    const text = await readFile(join(import.meta.dirname, '../../../docs/models.md'), 'utf8');
    const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    const door = new URL('../../src/models/index.js', import.meta.url).href;
    const definition = await loadModel(await modelFile('layer.mjs', code.replace('monolith-local/models', door)));
    const { worst } = checkGradients(definition, { kernels: selectBackend('auto').backend, samples: 40 });
    assert.ok(worst.relativeError < 0.01);
  });

  test('that does not exist, does not parse or exports nothing is an InvalidModel that names the file', async () => {
    await assert.rejects(loadModel(join(folder, 'none.js')), rejectsWith('InvalidModel', /none\.js: no such model file/));
    const broken = await modelFile('broken.mjs', 'export const model = {');
    await assert.rejects(loadModel(broken), rejectsWith('InvalidModel', /broken\.mjs: could not be loaded: SyntaxError/));
    const empty = await modelFile('empty.mjs', 'export const other = 1;');
    await assert.rejects(loadModel(empty), rejectsWith('InvalidModel', /exports no `model`/));
  });

  test('that throws in build or returns another shape says so', async () => {
    const throwing = await loadModel(
      await modelFile('throwing.mjs', "export const model = { name: 't', build() { throw new Error('oops'); } };"),
    );
    assert.throws(() => planModel(throwing, {}, gradientCheckInputs), rejectsWith('InvalidModel', /throwing\.mjs.*build failed: oops/));
    const wide = await loadModel(
      await modelFile('wide.mjs', "export const model = { name: 'w', build: (b) => b.embedding({ name: 'e', dim: 4 }) };"),
    );
    assert.throws(() => planModel(wide, {}, gradientCheckInputs), rejectsWith('InvalidModel', /wide\.mjs/));
  });

  test('an unknown option, a wrong type and an unknown model name come with a suggestion', async () => {
    const deepfm = await loadModel('deepfm');
    assert.throws(
      () => planModel(deepfm, { hiden: [4] }, gradientCheckInputs),
      rejectsWith('InvalidModel', /unknown option hiden; did you mean hidden\?/),
    );
    assert.throws(
      () => planModel(deepfm, { hidden: 'no' }, gradientCheckInputs),
      rejectsWith('InvalidModel', /option hidden must be a list/),
    );
    await assert.rejects(loadModel('depfm'), rejectsWith('UnknownModel', /did you mean deepfm\?/));
  });
});
