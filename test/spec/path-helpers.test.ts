import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findMain, getLibopsPath, isabs, MonolithError, resolveConfig } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-folders-'));
after(() => rmSync(folder, { recursive: true }));

function make(path: string): string {
  mkdirSync(join(folder, path), { recursive: true });
  return join(folder, path);
}

function refusal(run: () => unknown, code: string): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof MonolithError);
    assert.equal(error.code, code);
    return error.message;
  }
  return assert.fail('nothing was refused');
}

describe('#53 where Monolith lies', () => {
  test('#53 MONOLITH_MAIN_DIR decides, from any working directory', () => {
    make('main/monolith');
    const before = process.cwd();
    const given = process.env.MONOLITH_MAIN_DIR;
    process.env.MONOLITH_MAIN_DIR = join(folder, 'main');
    try {
      for (const directory of [folder, before]) {
        process.chdir(directory);
        assert.equal(findMain(), join(folder, 'main'));
        assert.equal(getLibopsPath('ops/lib.so'), join(folder, 'main/ops/lib.so'));
      }
    } finally {
      process.chdir(before);
      if (given === undefined) delete process.env.MONOLITH_MAIN_DIR;
      else process.env.MONOLITH_MAIN_DIR = given;
    }
  });

  test('#53 a MONOLITH_MAIN_DIR without monolith in it is refused', () => {
    const empty = make('empty');
    const text = refusal(() => findMain({ variables: { MONOLITH_MAIN_DIR: empty } }), 'InvalidConfig');
    assert.equal(text, `MONOLITH_MAIN_DIR does not contain monolith/ subdir: ${empty}`);
    assert.equal(
      refusal(() => getLibopsPath('x', { variables: { MONOLITH_MAIN_DIR: empty } }), 'InvalidConfig'),
      text,
    );
  });

  test('#53 otherwise the place of the module decides: its last __main__, site-packages or monolith', () => {
    make('a/__main__/monolith/core');
    make('b/site-packages/c/site-packages/monolith');
    make('d/monolith/e/monolith/core');
    const from = (path: string): string => findMain({ variables: {}, moduleFile: join(folder, path) });
    assert.equal(from('a/__main__/monolith/core/x.js'), join(folder, 'a/__main__'));
    assert.equal(from('b/site-packages/c/site-packages/monolith/x.js'), join(folder, 'b/site-packages/c/site-packages'));
    assert.equal(from('d/monolith/e/monolith/core/x.js'), join(folder, 'd/monolith/e'));
  });

  test('#53 a module that lies elsewhere is told what to do', () => {
    make('f/site-packages/other');
    for (const path of ['f/site-packages/other/x.js', 'g/x.js']) {
      const text = refusal(() => findMain({ variables: {}, moduleFile: join(folder, path) }), 'NotFound');
      assert.match(
        text,
        /^Unable to find the monolith base directory\. This file directory is .*\. Are you running under bazel structure\?/,
      );
    }
  });
});

describe('#7b absolute paths', () => {
  test('#7b hdfs:/ and the root of this system begin one', () => {
    assert.equal(isabs('hdfs:/data/model'), true);
    assert.equal(isabs('hdfs://namenode:9000/data'), true);
    assert.equal(isabs('/data/model'), true);
    for (const path of ['relative/path', './x', '../x', '', 'hdfs', 'hdfs:', 'data/hdfs:/x']) assert.equal(isabs(path), false, path);
  });

  test('#7b a configuration that names a path in HDFS is refused, the path as it was given', () => {
    const file = join(make('hdfs'), 'train.yaml');
    writeFileSync(file, 'modelDir: hdfs:/models/7\ndata: {train: [here.csv, "hdfs://nn/clicks/*.csv"]}\n');
    const text = refusal(() => resolveConfig({ file }), 'InvalidConfig');
    assert.match(text, /^.*train\.yaml: modelDir: hdfs:\/models\/7 lies in HDFS, which can't be read or written directly; .*mount/m);
    assert.match(text, /^.*train\.yaml: data\.train: hdfs:\/\/nn\/clicks\/\*\.csv lies in HDFS/m);
    for (const flag of ['data', 'eval-data', 'model-dir', 'schema', 'data.cache', 'model']) {
      const said = refusal(() => resolveConfig({ flags: { [flag]: 'hdfs:/x/y' } }), 'InvalidConfig');
      assert.match(said, new RegExp(`^--${flag}: hdfs:/x/y lies in HDFS`));
    }
  });
});
