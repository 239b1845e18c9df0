import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveConfig } from '../../src/config/index.js';
import { inFolder, messageOf } from './helpers.js';

const schema = `label: {column: click}
features:
  - {name: user, type: categorical}
  - {name: price, type: numeric, transform: log1p}
`;

describe('the feature schema as an option', () => {
  test('is a mapping in the file, a file named in the file or by a flag, or text on one line', () => {
    const expected = {
      label: { column: 'click' },
      features: [
        { name: 'user', type: 'categorical' },
        { name: 'price', type: 'numeric', transform: 'log1p' },
      ],
    };
    inFolder(
      { 'schema.yaml': schema, 'named.yaml': 'data: {schema: schema.yaml}', 'held.json': JSON.stringify({ data: { schema: expected } }) },
      (folder) => {
        assert.deepEqual(resolveConfig({ file: `${folder}/named.yaml` }).config.data.schema, expected);
        assert.deepEqual(resolveConfig({ file: 'held.json' }).config.data.schema, expected);
        assert.deepEqual(resolveConfig({ flags: { schema: 'schema.yaml' } }).config.data.schema, expected);
        assert.deepEqual(resolveConfig({ flags: { schema: JSON.stringify(expected) } }).config.data.schema, expected);
        assert.equal(resolveConfig({ file: 'held.json', flags: { schema: 'null' } }).config.data.schema, null);
      },
    );
  });

  test('is named with file, path and suggestion where it is wrong', () => {
    const cases: readonly (readonly [string, string])[] = [
      [schema.replace('transform:', 'transfrom:'), 's.yaml: unknown option features[1].transfrom; did you mean transform?'],
      [schema.replace('log1p', 'log'), 's.yaml: features[1].transform: expected one of none, log1p, standardize, got "log"'],
      [
        schema.replace('numeric', 'number'),
        's.yaml: features[1].type: expected one of categorical, numeric, bucketized, cross, got "number"',
      ],
      [schema.replace('click', '1'), 's.yaml: label.column: expected text, got 1; put it in quotes'],
      [
        schema.replace('label:', 'lable:'),
        's.yaml: label: expected a mapping, got nothing\ns.yaml: unknown option lable; did you mean label?',
      ],
      ['features: 3\nlabel: {column: x}', 's.yaml: features: expected a list, got 3'],
      ['just text', 's.yaml: expected a mapping, got "just text"'],
      ['', 's.yaml: expected a mapping, got null'],
      [schema.replace('name: price', 'name: user'), 's.yaml: features[1].name: feature "user" stands twice'],
    ];
    for (const [text, message] of cases) {
      inFolder({ 's.yaml': text }, () => {
        const actual = messageOf(() => resolveConfig({ flags: { schema: 's.yaml' } }));
        assert.ok(actual.startsWith(message), `${actual}\n  should begin with\n${message}`);
      });
    }
    inFolder({ 'train.yaml': 'data: {schema: {label: {colum: x, column: y}, features: [{name: a, type: categorical}]}}' }, () => {
      assert.equal(
        messageOf(() => resolveConfig({ file: 'train.yaml' })),
        'train.yaml: unknown option data.schema.label.colum; did you mean column?',
      );
    });
  });

  test('names the schema file that is not there', () => {
    const message = messageOf(() => resolveConfig({ flags: { schema: 'nowhere.yaml' } }));
    assert.equal(message, 'nowhere.yaml: there is no such file; give the path of a YAML or JSON file');
  });
});
