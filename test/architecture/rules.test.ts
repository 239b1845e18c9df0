import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findLayoutErrors, findViolations, type Layout } from './rules.js';

const layout: Layout = {
  rooms: [
    { floor: 0, name: 'base', mayImport: [] },
    { floor: 1, name: 'tensor', mayImport: ['base'] },
    { floor: 1, name: 'config', mayImport: ['base'] },
    { floor: 2, name: 'kernels', mayImport: ['base', 'tensor'] },
    { floor: 3, name: 'models', mayImport: ['base', 'kernels'] },
  ],
  packages: { zod: 'config', pino: 'base/logger', '@scope/pool': 'models/pool' },
  nativeLoading: 'kernels/native',
  computedImport: ['models'],
  maxLines: 20,
};

/** A sound little project; each case changes or adds files. */
function violationsWith(changes: Record<string, string>): string[] {
  const files: Record<string, string> = {
    'src/index.ts': "export * from './tensor/index.js';\n",
    'src/base/index.ts': "export * from './errors.js';\nexport * from './logger.js';\n",
    'src/base/errors.ts': 'export class Failure extends Error {}\n',
    'src/base/logger.ts': "import { pino } from 'pino';\nexport const create = pino;\n",
    'src/tensor/index.ts': "export * from './batch.js';\n",
    'src/tensor/batch.ts':
      "import { readFileSync } from 'node:fs';\nimport { Failure } from '../base/index.js';\nexport const a = [readFileSync, Failure];\n",
    'src/config/index.ts': "import { z } from 'zod';\nexport const schema = z;\n",
    'src/kernels/index.ts': "export * from './native/load.js';\n",
    'src/kernels/native/load.ts':
      "import { createRequire } from 'node:module';\nimport { a } from '../../tensor/index.js';\nexport const load = [createRequire(import.meta.url), a];\n",
    'src/models/index.ts': "export * from './registry.js';\n",
    'src/models/registry.ts': 'export const load = (path: string) => import(path);\n',
    ...changes,
  };
  return findViolations(new Map(Object.entries(files)), layout).map(({ file, line, text }) => `${file}:${line} ${text}`);
}

function expectOne(changes: Record<string, string>, pattern: RegExp): void {
  const found = violationsWith(changes);
  assert.equal(found.length, 1, `expected one violation, got ${JSON.stringify(found, null, 2)}`);
  assert.match(found[0] as string, pattern);
}

describe('the rules notice', () => {
  test('nothing in a sound tree', () => {
    assert.deepEqual(violationsWith({}), []);
  });

  test('an import of a higher floor', () => {
    expectOne({ 'src/base/errors.ts': "import '../tensor/index.js';\n" }, /^src\/base\/errors\.ts:1 .*base may not import tensor/);
  });

  test('an import of a room on the same floor', () => {
    expectOne({ 'src/config/index.ts': "\nimport '../tensor/index.js';\n" }, /^src\/config\/index\.ts:2 .*config may not import tensor/);
  });

  test('an import of a lower room that is not in the row', () => {
    expectOne({ 'src/models/registry.ts': "import '../config/index.js';\n" }, /models may not import config; it may import base, kernels/);
  });

  test('a type import, a re-export, an import type and a dynamic import of a forbidden room', () => {
    for (const text of [
      "import type { a } from '../tensor/index.js';\nexport type A = typeof a;\n",
      "export { a } from '../tensor/index.js';\n",
      "export type A = import('../tensor/index.js').A;\n",
      "export const later = () => import('../tensor/index.js');\n",
    ]) {
      expectOne({ 'src/config/index.ts': text }, /config may not import tensor/);
    }
  });

  test('an import that goes round a door', () => {
    expectOne({ 'src/tensor/batch.ts': "export * from '../base/errors.js';\n" }, /goes round a door; import src\/base\/index\.js/);
    expectOne({ 'src/index.ts': "export * from './tensor/batch.js';\n" }, /goes round a door/);
  });

  test('an import that leaves src', () => {
    expectOne({ 'src/base/errors.ts': "import '../../test/helpers/x.js';\n" }, /leaves src\//);
  });

  test('an import of a file that does not exist', () => {
    expectOne({ 'src/base/errors.ts': "import './gone.js';\n" }, /no such file/);
    expectOne({ 'src/tensor/batch.ts': "import '../base/index';\n" }, /no such file \(paths end in \.js\)/);
  });

  test('a cycle inside a room, also by type imports', () => {
    expectOne(
      {
        'src/tensor/batch.ts': "import type { B } from './b.js';\nexport type A = B;\n",
        'src/tensor/b.ts': "import type { C } from './c.js';\nexport type B = C;\n",
        'src/tensor/c.ts': "import type { A } from './batch.js';\nexport type C = A;\n",
      },
      /cycle: src\/tensor\/batch\.ts → src\/tensor\/b\.ts → src\/tensor\/c\.ts → src\/tensor\/batch\.ts/,
    );
  });

  test('a file that imports the door of its own room', () => {
    expectOne({ 'src/tensor/batch.ts': "export * from './index.js';\n" }, /cycle/);
  });

  test('an import of the first file of a thread', () => {
    expectOne(
      { 'src/models/registry.ts': "import './worker.thread.js';\n", 'src/models/worker.thread.ts': 'export {};\n' },
      /first code of a thread/,
    );
  });

  test('an outside package away from its home', () => {
    expectOne({ 'src/tensor/batch.ts': "import 'zod';\n" }, /zod lives in config only/);
    expectOne({ 'src/base/errors.ts': "import 'pino/file.js';\n" }, /pino lives in base\/logger only/);
    expectOne({ 'src/models/registry.ts': "import '@scope/pool/deep';\n" }, /@scope\/pool lives in models\/pool only/);
  });

  test('an outside package without a home, and a Node module without node:', () => {
    expectOne({ 'src/tensor/batch.ts': "import 'lodash';\n" }, /lodash has no home/);
    expectOne({ 'src/tensor/batch.ts': "import 'fs';\n" }, /written node:fs/);
  });

  test('native code loaded elsewhere, and a computed import elsewhere', () => {
    expectOne(
      { 'src/tensor/batch.ts': "import { createRequire } from 'node:module';\nexport const r = createRequire('/');\n" },
      /batch\.ts:2 createRequire: native code is loaded in kernels\/native only/,
    );
    expectOne({ 'src/tensor/batch.ts': 'process.dlopen(module, "x");\nexport {};\n' }, /dlopen/);
    expectOne({ 'src/tensor/batch.ts': 'export const load = (p: string) => import(p);\n' }, /worked out at run time/);
  });

  test('default exports, any, non-null assertions and enums, but not these words in text', () => {
    expectOne({ 'src/tensor/batch.ts': 'export default 1;\n' }, /default export/);
    expectOne({ 'src/tensor/batch.ts': 'export default function f() {}\n' }, /default export/);
    expectOne({ 'src/tensor/batch.ts': 'const a = 1;\nexport { a as default };\n' }, /default export/);
    expectOne({ 'src/tensor/batch.ts': 'export const a = (x: any) => x;\n' }, /`any`/);
    expectOne({ 'src/tensor/batch.ts': 'export const a = (x: number | null) => x!;\n' }, /`!`/);
    expectOne({ 'src/tensor/batch.ts': 'export enum Kind { a }\n' }, /enum/);
    assert.deepEqual(violationsWith({ 'src/tensor/batch.ts': "// any enum, export default!\nexport const any = 'enum' !== 'any';\n" }), []);
  });

  test('a file that is too long, in src and in native', () => {
    expectOne({ 'src/tensor/batch.ts': 'export const a = [\n  1,\n'.padEnd(60, '\n').concat('];\n') }, /lines, at most 20/);
    expectOne({ 'native/simd/isa.cc': '\n'.repeat(21) }, /native\/simd\/isa\.cc:21 21 lines, at most 20/);
    assert.deepEqual(violationsWith({ 'native/simd/isa.cc': '\n'.repeat(20) }), []);
  });

  test('work that was left to do', () => {
    expectOne({ 'native/simd/isa.cc': '// TO' + 'DO: faster\n' }, /work to do goes into an issue/);
  });

  test('a folder that is no room, a room without a door, a file outside every room', () => {
    expectOne({ 'src/utils/index.ts': 'export {};\n' }, /src\/utils is no room/);
    expectOne({ 'src/helpers.ts': 'export {};\n' }, /outside every room/);
    const tree = new Map([['src/base/errors.ts', 'export {};\n']]);
    assert.match(findViolations(tree, layout)[0]?.text ?? '', /without a door/);
  });

  test('a table whose rows contradict its floors', () => {
    const rooms = [
      { floor: 0, name: 'base', mayImport: ['tensor'] },
      { floor: 1, name: 'tensor', mayImport: ['base', 'cellar'] },
    ];
    assert.deepEqual(findLayoutErrors({ ...layout, rooms }), [
      'base (floor 0) may import tensor (floor 1): not a lower floor',
      'tensor may import cellar, which is no room',
    ]);
  });
});
