import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MonolithError } from '../../src/base/index.js';

/** Runs `body` in a folder of its own that is the current folder meanwhile and holds the given files. */
export function inFolder<T>(files: Readonly<Record<string, string>>, body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'monolith-config-'));
  const before = process.cwd();
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    process.chdir(folder);
    return body(folder);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The message of the InvalidConfig that `body` throws. */
export function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof MonolithError, `not a MonolithError: ${String(error)}`);
    assert.equal(error.code, 'InvalidConfig');
    return error.message;
  }
  return assert.fail('nothing was thrown');
}
