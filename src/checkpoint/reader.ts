import { open, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32c, MonolithError } from '../base/index.js';
import { type BaseReference, hex32, MAX_MANIFEST_LENGTH, manifestFileName, parseOwnedName } from './format.js';
import { type CheckpointEntry, entryOf, listCheckpoints } from './list.js';
import { type CheckpointManifest, decodeManifest } from './manifest.js';
import { SectionReader } from './section-reader.js';
import type { CheckpointOptions } from './writer.js';

/** A section that names the way out when it turns out damaged. */
export type VerifiedSection = Pick<SectionReader, 'info' | 'bytes' | 'numBlocks' | 'pieces' | 'readAll' | 'verify'>;

/**
 * An opened checkpoint: manifest and footers of all sections are checked, the data are checked as they are read. Those of a delta's base too.
 * Holds no file open, so there is nothing to close.
 */
export class CheckpointReader {
  readonly entry: CheckpointEntry;
  readonly manifest: CheckpointManifest;
  /** The checkpoint that this one is a delta of; null: it is whole. */
  readonly base: CheckpointReader | null;
  /** The delta that this one was opened for. */
  readonly #dependent: CheckpointEntry | null;
  readonly #sections: ReadonlyMap<string, SectionReader>;
  readonly #options: CheckpointOptions;

  constructor(
    entry: CheckpointEntry,
    manifest: CheckpointManifest,
    options: CheckpointOptions,
    base: CheckpointReader | null = null,
    dependent: CheckpointEntry | null = null,
  ) {
    this.entry = entry;
    this.manifest = manifest;
    this.base = base;
    this.#dependent = dependent;
    this.#options = options;
    const checksum = options.crc32c ?? crc32c;
    this.#sections = new Map(
      manifest.sections.map((info) => [info.name, new SectionReader(entry.modelDir, manifest.folder, info, checksum)]),
    );
  }

  get step(): number {
    return this.manifest.step;
  }

  /** Names of the sections, in the order in which they were written. */
  get sectionNames(): string[] {
    return [...this.#sections.keys()];
  }

  hasSection(name: string): boolean {
    return this.#sections.has(name);
  }

  /** @throws CheckpointIncompatible if there is no such section */
  section(name: string): VerifiedSection {
    const section = this.#sections.get(name);
    if (section === undefined) {
      throw new MonolithError(
        'CheckpointIncompatible',
        `${this.entry.name}: no section "${name}"; it has ${this.sectionNames.join(', ') || 'none'}. Was it written by another model or version?`,
        { checkpoint: this.entry.name, section: name, sections: this.sectionNames },
      );
    }
    const hinted = <Result>(act: () => Promise<Result>) => this.#hinted(act);
    return {
      info: section.info,
      bytes: section.bytes,
      numBlocks: section.numBlocks,
      readAll: (into) => hinted(() => section.readAll(into)),
      verify: () => hinted(() => section.verify()),
      async *pieces() {
        const pieces = section.pieces();
        try {
          for (;;) {
            const { done, value } = await hinted(() => pieces.next());
            if (done === true) return;
            yield value;
          }
        } finally {
          await pieces.return();
        }
      },
    };
  }

  /** Checks length and footer of every section. @throws CheckpointCorrupt */
  async checkStructure(): Promise<void> {
    for (const section of this.#sections.values()) await section.checkStructure();
  }

  /** Reads and checks every byte of every section, of a delta's base too. @throws CheckpointCorrupt */
  async verifyData(): Promise<void> {
    const { base, entry } = this;
    for (const section of this.#sections.values()) await section.verify();
    if (base !== null) await asBaseOf(entry, base.entry, () => base.verifyData());
  }

  #hinted<Result>(act: () => Promise<Result>): Promise<Result> {
    const dependent = this.#dependent;
    if (dependent === null) return withWayOut(this.entry, this.#options, act);
    return withWayOut(dependent, this.#options, () => asBaseOf(dependent, this.entry, act));
  }
}

/** The whole checkpoint of a step as a delta's manifest names it. @throws CheckpointCorrupt, CheckpointIncompatible */
export async function referenceTo(modelDir: string, step: number): Promise<BaseReference> {
  return { step, crc32c: (await readManifest(entryOf(modelDir, step))).crc32c };
}

/** The manifest alone. @throws CheckpointCorrupt, CheckpointIncompatible */
export async function readManifest(entry: CheckpointEntry): Promise<CheckpointManifest> {
  return decodeManifest(await readManifestFile(entry), entry.step);
}

/**
 * Opens a checkpoint and checks all but the data of its sections, which are checked as they are read.
 *
 * @param path `…/checkpoint-1200.json`, `…/checkpoint-1200`, or a model folder: then its newest good checkpoint.
 * @throws CheckpointNotFound, CheckpointCorrupt (naming the newest good older checkpoint), CheckpointIncompatible
 */
export async function openCheckpoint(path: string, options: CheckpointOptions = {}): Promise<CheckpointReader> {
  const entry = await resolveEntry(path, options);
  return await withWayOut(entry, options, () => openEntry(entry, options));
}

/**
 * Reads every byte of a checkpoint.
 * @param path as for {@link openCheckpoint}.
 * @throws as {@link openCheckpoint}
 */
export async function verify(path: string, options: CheckpointOptions = {}): Promise<CheckpointManifest> {
  const entry = await resolveEntry(path, options);
  return await withWayOut(entry, options, () => verifyEntry(entry, options));
}

export type NewestGoodOptions = CheckpointOptions & {
  /** Check only manifest, lengths and footers; default false: every byte is read. */
  readonly structureOnly?: boolean;
  /** Told of each damaged checkpoint that is passed over; so that nobody falls back unseen. */
  readonly onDamaged?: (entry: CheckpointEntry, error: MonolithError) => void;
};

/**
 * The newest checkpoint of a model folder that verifies, or null if there is none.
 * @throws CheckpointIncompatible if a newer release wrote the newest one that is undamaged: falling back would lose its work
 */
export async function newestGood(modelDir: string, options: NewestGoodOptions = {}): Promise<CheckpointEntry | null> {
  for (const entry of (await listCheckpoints(modelDir)).reverse()) {
    try {
      await (options.structureOnly === true ? openEntry(entry, options) : verifyEntry(entry, options));
      return entry;
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      options.onDamaged?.(entry, error);
    }
  }
  return null;
}

/** Opens by entry; errors carry no advice yet. @throws CheckpointCorrupt, CheckpointIncompatible */
export async function openEntry(entry: CheckpointEntry, options: CheckpointOptions): Promise<CheckpointReader> {
  const manifest = await readManifest(entry);
  const base = manifest.base === null ? null : await openBase(entry, manifest.base, options);
  const reader = new CheckpointReader(entry, manifest, options, base);
  await reader.checkStructure();
  return reader;
}

function openBase(delta: CheckpointEntry, base: BaseReference, options: CheckpointOptions): Promise<CheckpointReader> {
  const entry = entryOf(delta.modelDir, base.step);
  return asBaseOf(delta, entry, async () => {
    const manifest = await readManifest(entry);
    if (manifest.crc32c !== base.crc32c || manifest.base !== null) {
      throw new MonolithError(
        'CheckpointCorrupt',
        `${manifestFileName(base.step)} is another one: its crc32c is ${hex32(manifest.crc32c)}, ${manifestFileName(delta.step)} says ${hex32(base.crc32c)}`,
        { file: manifestFileName(base.step), actual: hex32(manifest.crc32c), expected: hex32(base.crc32c) },
      );
    }
    const reader = new CheckpointReader(entry, manifest, options, null, delta);
    await reader.checkStructure();
    return reader;
  });
}

/** Says of damage in a base whose base it is. */
async function asBaseOf<Result>(delta: CheckpointEntry, base: CheckpointEntry, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!isCorrupt(error) || 'base' in error.details) throw error;
    throw new MonolithError(
      'CheckpointCorrupt',
      `${delta.name} is a delta of ${base.name}, and that is damaged: ${error.message}`,
      { ...error.details, delta: delta.name, base: base.name },
      { cause: error },
    );
  }
}

async function verifyEntry(entry: CheckpointEntry, options: CheckpointOptions): Promise<CheckpointManifest> {
  const reader = await openEntry(entry, options);
  await reader.verifyData();
  return reader.manifest;
}

async function readManifestFile(entry: CheckpointEntry): Promise<Uint8Array> {
  const file = manifestFileName(entry.step);
  try {
    const handle = await open(entry.path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > MAX_MANIFEST_LENGTH) {
        throw new MonolithError('CheckpointCorrupt', `${file} has ${size} bytes; no manifest is that long`, { file, actual: size });
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof MonolithError) throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new MonolithError('CheckpointCorrupt', `${file} can't be read: ${text}`, { file }, { cause });
  }
}

async function resolveEntry(path: string, options: CheckpointOptions): Promise<CheckpointEntry> {
  const owned = parseOwnedName(basename(resolve(path)));
  if (owned !== null && owned.kind !== 'temporary') {
    const modelDir = dirname(path);
    const entry = entryOf(modelDir, owned.step);
    if (await exists(entry.path)) return entry;
    throw await notFound(`${join(modelDir, entry.name)}: no such checkpoint`, modelDir);
  }
  const newest = await newestGood(path, options);
  if (newest !== null) return newest;
  throw await notFound(`${path}: no good checkpoint in this folder`, path);
}

async function notFound(problem: string, modelDir: string): Promise<MonolithError> {
  const names = (await listCheckpoints(modelDir).catch(() => [])).map((entry) => entry.name);
  const there = names.length > 0 ? `There are ${names.join(', ')}` : 'There is none; check the folder, or train one first';
  return new MonolithError('CheckpointNotFound', `${problem}. ${there}`, { path: modelDir, found: names });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function isCorrupt(error: unknown): error is MonolithError {
  return error instanceof MonolithError && error.code === 'CheckpointCorrupt';
}

/** Adds to an error of damage which older checkpoint is good, and how to go on from it. Reads older ones, newest first, until one is. */
async function withWayOut<Result>(entry: CheckpointEntry, options: CheckpointOptions, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!isCorrupt(error) || 'newestGood' in error.details) throw error;
    const older = await newestGoodBefore(entry, options);
    const advice =
      older === null
        ? `No older good checkpoint in ${entry.modelDir}: restore it from a copy, or start again with --fresh`
        : `Newest good checkpoint: ${older.name} (to resume from it, delete ${(await manifestsAfter(older)).join(', ')})`;
    throw new MonolithError(
      'CheckpointCorrupt',
      `${error.message}. ${advice}`,
      { ...error.details, checkpoint: entry.name, newestGood: older?.name ?? null },
      { cause: error },
    );
  }
}

/** Manifests that stand in the way of a checkpoint: resuming takes the newest. */
async function manifestsAfter({ modelDir, step }: CheckpointEntry): Promise<string[]> {
  return (await listCheckpoints(modelDir)).filter((entry) => entry.step > step).map((entry) => manifestFileName(entry.step));
}

async function newestGoodBefore(entry: CheckpointEntry, options: CheckpointOptions): Promise<CheckpointEntry | null> {
  const older = (await listCheckpoints(entry.modelDir).catch(() => [])).filter((other) => other.step < entry.step);
  for (const candidate of older.reverse()) {
    const good = await verifyEntry(candidate, options).then(
      () => true,
      () => false,
    );
    if (good) return candidate;
  }
  return null;
}
