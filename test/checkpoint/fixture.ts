import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MonolithError, SeededRandom } from '../../src/base/index.js';
import { CheckpointWriter } from '../../src/checkpoint/index.js';

/** A new folder for one test; `remove` deletes it. */
export function temporaryModelDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Bytes that depend on the step and the section, so that no two checkpoints hold equal ones. */
export function contentOf(step: number, section: string, length: number): Uint8Array {
  const random = new SeededRandom(step * 1000 + section.length);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random.nextUint32());
  return new Uint8Array(words.buffer, 0, length);
}

/** Sections of the small checkpoints of these tests: two blocks, a part of one, and none. */
export const sectionLengths: readonly (readonly [string, number])[] = [
  ['table-0', 65536 + 9000],
  ['dense', 5000],
  ['empty.rows', 0],
];

/** Saves a small checkpoint whose every byte follows from `step`; gives the save up if anything fails. */
export async function save(modelDir: string, step: number): Promise<string> {
  const writer = await CheckpointWriter.begin(modelDir, step);
  try {
    for (const [name, length] of sectionLengths) await writer.writeSection(name, contentOf(step, name, length));
    return await writer.commit({ step, config: { seed: 42, model: 'deepfm' }, data: { epoch: 1, offset: step * 512 } });
  } finally {
    await writer.abort();
  }
}

/** The MonolithError that `act` ends in. */
export async function failureOf(act: () => Promise<unknown>): Promise<MonolithError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof MonolithError) return error;
    throw error;
  }
  throw new Error('expected an error, but it went through');
}

/** Every file below a folder with its bytes, for comparing. */
export function snapshot(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readFileSync(path).toString('base64'));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
