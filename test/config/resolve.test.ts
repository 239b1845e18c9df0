import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configToYaml, explain, optionTable, resolveConfig, type TrainingConfig } from '../../src/config/index.js';
import type { OptimizerSpec, RowInitializer } from '../../src/models/index.js';
import { inFolder, messageOf } from './helpers.js';

describe('resolving a configuration', () => {
  test('nothing given means defaults', () => {
    const { config, origins, folder } = resolveConfig();
    assert.equal(config.model, 'deepfm');
    assert.equal(config.batchSize, 512);
    assert.equal(config.data.shuffle, 65536);
    assert.deepEqual(config.data.train, []);
    assert.equal(config.data.schema, null);
    assert.equal(config.data.criteoIntegers, 'dense');
    assert.deepEqual(config.optimizer.sparse, { kind: 'adagrad', learningRate: 0.05 });
    assert.equal(config.optimizer.linear, null);
    assert.equal(config.stepTimeoutMs, 120_000);
    assert.equal(folder, '.');
    assert.equal(origins.size, optionTable.length);
    assert.ok([...origins.values()].every((origin) => origin === 'default'));
  });

  test('flags win over variables, variables over the file, the file over defaults, and each origin is known', () => {
    inFolder({ 'train.yaml': 'batchSize: 1\nseed: 1\nepochs: 1\nworkers: 1' }, () => {
      const env = { MONOLITH_LOCAL_SEED: '2', MONOLITH_LOCAL_EPOCHS: '2', PATH: '/bin' };
      const { config, origins } = resolveConfig({ file: 'train.yaml', values: { workers: 4 }, env, flags: { epochs: '3', ps: undefined } });
      assert.deepEqual([config.batchSize, config.seed, config.epochs, config.workers, config.ps], [1, 2, 3, 4, 2]);
      const names = ['batchSize', 'seed', 'epochs', 'workers', 'ps'];
      assert.deepEqual(
        names.map((name) => origins.get(name)),
        ['train.yaml', 'MONOLITH_LOCAL_SEED', '--epochs', 'options', 'default'],
      );
    });
  });

  test('a value is replaced whole, other values of its section stay', () => {
    inFolder({ 'a.yaml': 'data: {train: [a.tsv, b.tsv], format: tsv}' }, () => {
      const { data } = resolveConfig({ file: 'a.yaml', flags: { data: ['c.tsv'] } }).config;
      assert.deepEqual([data.train, data.format], [['c.tsv'], 'tsv']);
    });
  });

  test('texts of flags and variables become values of the option’s type', () => {
    const { config } = resolveConfig({
      env: { MONOLITH_LOCAL_JSON: 'yes', MONOLITH_LOCAL_DATA: 'x.tsv,y.tsv', MONOLITH_LOCAL_OPTIMIZER_DENSE_KIND: 'adam' },
      flags: {
        'optimizer.sparse.learning-rate': '5e-2',
        'clip.global-norm': '1',
        'eval-data': ['a-{0,1}.tsv', 'b.tsv, c.tsv'],
        'model-options': '{hidden: [400, 400]}',
        'max-steps': '1e3',
        'data.header': 'false',
        'data.separator': '\\t',
        'embedding.initializer': '{"kind": "uniform", "low": -0.1, "high": 0.1}',
        quiet: true,
        fresh: false,
      },
    });
    assert.equal(config.json, true);
    assert.deepEqual(config.data.train, ['x.tsv', 'y.tsv']);
    assert.deepEqual(config.data.eval, ['a-{0,1}.tsv', 'b.tsv', 'c.tsv']);
    assert.equal(config.optimizer.dense.kind, 'adam');
    assert.equal(config.optimizer.sparse.learningRate, 0.05);
    assert.equal(config.clip.globalNorm, 1);
    assert.deepEqual(config.modelOptions, { hidden: [400, 400] });
    assert.equal(config.maxSteps, 1000);
    assert.equal(config.data.header, false);
    assert.equal(config.data.separator, '\t');
    assert.deepEqual(config.embedding.initializer, { kind: 'uniform', low: -0.1, high: 0.1 });
    assert.deepEqual([config.quiet, config.fresh], [true, false]);
  });

  test('null takes a nullable value back, and is no value elsewhere', () => {
    inFolder({ 'a.yaml': 'data: {separator: ";"}\noptimizer: {linear: {kind: ftrl, l1: 1}}' }, () => {
      assert.equal(resolveConfig({ file: 'a.yaml', flags: { 'data.separator': 'null' } }).config.data.separator, null);
      assert.equal(resolveConfig({ file: 'a.yaml', values: { optimizer: { linear: null } } }).config.optimizer.linear, null);
      assert.equal(
        messageOf(() => resolveConfig({ flags: { workers: 'null' } })),
        '--workers: expected an integer from 1 to 256, got "null"',
      );
    });
  });

  test('wrong flags and variables are named as the user wrote them', () => {
    const cases: readonly (readonly [Parameters<typeof resolveConfig>[0], string])[] = [
      [{ flags: { 'batch-size': '0' } }, '--batch-size: expected an integer from 1 to 1048576, got 0'],
      [{ flags: { 'batch-size': '12x' } }, '--batch-size: expected an integer from 1 to 1048576, got "12x"'],
      [{ flags: { 'batch-size': '' } }, '--batch-size: expected an integer from 1 to 1048576, got ""'],
      [{ flags: { 'bath-size': '1' } }, '--bath-size: unknown flag; did you mean --batch-size?'],
      [{ flags: { qqqqqqqq: '1' } }, '--qqqqqqqq: unknown flag; --help lists all flags'],
      [{ flags: { seed: ['1', '2'] } }, '--seed: given 2 times; give it once'],
      [{ flags: { precision: 'fp16' } }, '--precision: expected one of fp32, bf16, got "fp16"'],
      [{ flags: { backend: 'gpu' } }, '--backend: the gpu backend is not available yet; use native'],
      [{ flags: { 'model-options': '{a: [' } }, '--model-options: not valid YAML (line 1, column '],
      [
        { flags: { 'embedding.initializer': '{kind: uniform, lo: 1, high: 2}' } },
        '--embedding.initializer.low: expected a number, got nothing',
      ],
      [{ flags: { 'optimizer.sparse.beta1': '0.9' } }, '--optimizer.sparse.beta1: adagrad has no beta1; it takes '],
      [{ env: { MONOLITH_LOCAL_EPOCHS: 'two' } }, 'MONOLITH_LOCAL_EPOCHS: expected an integer ≥ 0, got "two"'],
      [{ env: { MONOLITH_LOCAL_EPOCH: '2' } }, 'MONOLITH_LOCAL_EPOCH: unknown option; did you mean MONOLITH_LOCAL_EPOCHS?'],
      [{ values: { batchSize: 0 } }, 'options: batchSize: expected an integer from 1 to 1048576, got 0'],
    ];
    for (const [sources, message] of cases) assert.ok(messageOf(() => resolveConfig(sources)).startsWith(message), message);
  });

  test('variables that only share the prefix are left alone', () => {
    resolveConfig({ env: { MONOLITH_LOCAL_ISA: 'avx2', MONOLITH_LOCAL_NO_ADDON: '1', MONOLITH_LOCAL_SOMETHING_ELSE: 'x' } });
  });

  test('relative paths of a file are relative to its folder, those of flags to the current one', () => {
    inFolder({}, (folder) => {
      const text = `model: ./mine.js\nmodelDir: run\ndata: {train: ["*.tsv", "-", /abs/x.tsv], eval: "../e.tsv"}`;
      inFolder({ 'train.yaml': text }, (other) => {
        const { config, folder: base } = resolveConfig({ file: `${other}/train.yaml` });
        assert.equal(base, other);
        assert.equal(config.model, `${other}/mine.js`);
        assert.equal(config.modelDir, `${other}/run`);
        assert.deepEqual(config.data.train, [`${other}/*.tsv`, '-', '/abs/x.tsv']);
        assert.ok(config.data.eval[0].endsWith('/e.tsv') && !config.data.eval[0].includes('..'));
        const flags = { data: 'x.tsv', model: 'mine.js', 'model-dir': 'out' };
        const flagged = resolveConfig({ file: 'train.yaml', flags }).config;
        assert.deepEqual([flagged.data.train, flagged.model, flagged.modelDir], [['x.tsv'], './mine.js', 'out']);
      });
      assert.ok(folder.length > 0);
    });
  });

  test('a plain model name is no path', () => {
    inFolder({ 'a.yaml': 'model: dcn-v2' }, () => assert.equal(resolveConfig({ file: 'a.yaml' }).config.model, 'dcn-v2'));
  });

  test('a numberless linear optimizer follows the sparse one, of another rule it stands alone', () => {
    inFolder({ 'a.yaml': 'optimizer: {sparse: {learningRate: 0.2, initialAccumulator: 1}, linear: {learningRate: 0.3}}' }, () => {
      const { config, origins } = resolveConfig({ file: 'a.yaml' });
      assert.deepEqual(config.optimizer.linear, { kind: 'adagrad', learningRate: 0.3, initialAccumulator: 1 });
      assert.equal(origins.get('optimizer.linear.initialAccumulator'), 'optimizer.sparse');
      const other = resolveConfig({ file: 'a.yaml', flags: { 'optimizer.linear.kind': 'ftrl' } }).config;
      assert.deepEqual(other.optimizer.linear, { kind: 'ftrl', learningRate: 0.3 });
    });
  });

  test('defaults are not shared between runs', () => {
    const first = resolveConfig().config;
    (first.modelOptions as Record<string, unknown>).a = 1;
    assert.deepEqual(resolveConfig().config.modelOptions, {});
  });

  test('a configuration written to the run folder reads back as the same run from anywhere', () => {
    inFolder(
      { 'train.yaml': 'model: ./mine.js\ndata: {train: x.tsv, separator: tab}\noptimizer: {linear: {kind: ftrl, l1: 0.1}}' },
      (folder) => {
        const written = resolveConfig({ file: 'train.yaml' }).config;
        inFolder({ 'config.yaml': configToYaml(written) }, () => {
          const read = resolveConfig({ file: 'config.yaml' }).config;
          const absolute = {
            ...written,
            model: `${folder}/mine.js`,
            modelDir: `${folder}/model`,
            data: { ...written.data, train: [`${folder}/x.tsv`] },
          };
          assert.deepEqual(read, absolute);
        });
      },
    );
  });

  test('explain shows every option in force with value and origin in columns', () => {
    const lines = explain(resolveConfig({ flags: { 'batch-size': '64' } })).split('\n');
    const shown = lines.slice(1).map((text) => text.split(' ')[0]);
    for (const { path, option, nullableSection } of optionTable) {
      if (!option.optional && nullableSection === null) assert.ok(shown.includes(path), path);
    }
    assert.match(lines.find((text) => text.startsWith('optimizer.linear')) ?? '', /^optimizer\.linear +null +default$/);
    assert.ok(shown.includes('optimizer.sparse.epsilon') && !shown.includes('optimizer.sparse.beta1'));
    const line = lines.find((candidate) => candidate.startsWith('batchSize ')) ?? '';
    assert.match(line, /^batchSize +64 +--batch-size$/);
    assert.equal(lines[0].indexOf('origin'), line.indexOf('--batch-size'));
  });

  test('the type of a configuration is known to the compiler', () => {
    const config: TrainingConfig = resolveConfig().config;
    const format:
      | 'auto'
      | 'csv'
      | 'tsv'
      | 'criteo'
      | 'criteo-bin'
      | 'parquet'
      | 'arrow'
      | 'libsvm'
      | 'libffm'
      | 'tfrecord'
      | 'parquet'
      | 'arrow'
      | 'avro'
      | 'jsonl'
      | 'vw'
      | 'npz'
      | 'instance'
      | 'example'
      | 'example-batch'
      | 'example-batch-row-major' = config.data.format;
    const header: boolean | 'auto' = config.data.header;
    const rules: readonly (OptimizerSpec | null)[] = [config.optimizer.sparse, config.optimizer.linear, config.optimizer.dense];
    const initializer: RowInitializer | null = config.embedding.initializer;
    assert.deepEqual([rules.length, initializer], [3, null]);
    const beta: number | undefined = config.optimizer.dense.beta;
    const kind: 'sgd' | 'adagrad' | 'rowwise-adagrad' | 'adam' | 'ftrl' | undefined = config.optimizer.linear?.kind;
    assert.deepEqual([format, header, beta, kind], ['auto', 'auto', undefined, undefined]);
  });
});
