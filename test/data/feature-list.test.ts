import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { formatFeatureList, parseFeatureList } from '../../src/data/index.js';
import { sharedData } from './helpers.js';

test('keys, slots, layouts and columns of a feature list', () => {
  const list = parseFeatureList(
    '# all\ncolumn_name : a, b\n\nfeed_name=a; shared=true; feature_id=1\nfeature_name=fc_a; depend=a,b; args=1,2; feature_version=2; slot=4745;\n',
  );
  assert.deepEqual(list.columns, ['a', 'b']);
  assert.deepEqual(
    list.entries.map(({ kind, name, slot, version, shared }) => [kind, name, slot, version, shared]),
    [
      ['feed', 'a', null, 1, true],
      ['feature', 'fc_a', 4745, 2, false],
    ],
  );
  assert.equal(list.entries[1].fields.get('depend'), 'a,b');
  assert.deepEqual(parseFeatureList(formatFeatureList(list)), list);
});

for (const [line, message] of [
  ['feature_name=a; slot', /list line 2: "slot", expected key=value/],
  ['slot=3', /expected one of feed_name, feature_name, cache_name/],
  ['feature_name=a; slot=1024', /slot=1024, expected a whole number up to 1023/],
  ['feature_name=a; slot=x', /slot=x/],
  ['feature_name=a; slot=1; slot=2', /slot stands twice/],
] as const) {
  test(`${line} is refused with its line`, () => {
    assert.throws(() => parseFeatureList(`\n${line}\n`, 'list'), { code: 'DataFormat', message });
  });
}

const folder = sharedData();
test('a real feature list, read and written again', { skip: folder === null ? 'absent' : false }, () => {
  const text = gunzipSync(readFileSync(join(folder ?? '', 'monolith/mhy.conf.gz'))).toString('utf8');
  const list = parseFeatureList(text, 'mhy.conf');
  const count = (kind: string): number => list.entries.filter((entry) => entry.kind === kind).length;
  // 1687 lines: the columns, 578 feeds, 1106 features, 2 blank ones.
  assert.deepEqual([count('feed'), count('feature'), count('cache')], [578, 1106, 0]);
  assert.deepEqual(parseFeatureList(formatFeatureList(list)), list);
});
