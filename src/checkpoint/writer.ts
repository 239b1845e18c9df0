import { join } from 'node:path';
import { type Crc32c, crc32c, failpoint, fsyncFolder, MonolithError, makeFolderDurable, removeQuietly } from '../base/index.js';
import { commitCheckpoint } from './commit.js';
import { type BaseReference, checkStep, isSectionName, type SectionInfo, temporaryFolderName } from './format.js';
import { claimFolderName } from './leftovers.js';
import type { ManifestFields } from './manifest.js';
import { type ClosedSection, SectionWriter } from './section-writer.js';

export type CheckpointOptions = {
  /** Takes the place of the TypeScript checksum, e.g. a native one; must give the same values. */
  readonly crc32c?: Crc32c;
};

/**
 * Writes one checkpoint: `begin`, sections, `commit`. Before `commit` has returned nothing of it counts; afterwards no crash, power cut
 * or full disk loses it. The first failure of any part gives the save up: its files are deleted, earlier checkpoints stay as they are,
 * and every later call fails with the same error. One save at a time in a model folder.
 *
 * ```ts
 * const writer = await CheckpointWriter.begin('model', 1200);
 * const section = await writer.section('dense');
 * await section.append(bytes);
 * await section.close();
 * await writer.commit({ config, data: position });
 * await prune('model', 3);
 * ```
 */
export class CheckpointWriter {
  readonly modelDir: string;
  readonly step: number;
  /** Folder in which sections are being written. */
  readonly temporaryFolder: string;
  readonly #folder: string;
  readonly #crc32c: Crc32c;
  /** By lower-case name, in the order of opening; null while the file is being created. */
  readonly #sections = new Map<string, SectionWriter | null>();
  #state: 'open' | 'committing' | 'committed' | 'aborted' = 'open';
  #failure: unknown = null;
  #cleanup: Promise<void> = Promise.resolve();

  private constructor(modelDir: string, step: number, folder: string, checksum: Crc32c) {
    this.modelDir = modelDir;
    this.step = step;
    this.temporaryFolder = join(modelDir, temporaryFolderName(step));
    this.#folder = folder;
    this.#crc32c = checksum;
  }

  /**
   * Starts a save: creates the model folder if needed and removes what a crashed save of the same step left behind. A committed
   * checkpoint of this step stays valid until the new one takes its place.
   *
   * @param step the global step, an integer in [0, 2⁵³).
   * @throws InvalidArgument, DiskFull, WriteFailed
   */
  static async begin(modelDir: string, step: number, options: CheckpointOptions = {}): Promise<CheckpointWriter> {
    checkStep(step);
    await makeFolderDurable(modelDir);
    failpoint('checkpoint.beforeBegin');
    const folder = await claimFolderName(modelDir, step);
    const writer = new CheckpointWriter(modelDir, step, folder, options.crc32c ?? crc32c);
    try {
      await makeFolderDurable(writer.temporaryFolder);
      failpoint('checkpoint.afterBegin');
    } catch (error) {
      await removeQuietly(writer.temporaryFolder);
      throw error;
    }
    return writer;
  }

  /**
   * Opens a section; several may be open at once. Sections stand in the manifest in the order in which they were opened.
   *
   * @param name letters, digits, dot, dash and underscore, at most 128; unique without regard to case.
   * @throws InvalidArgument, DiskFull, WriteFailed
   */
  async section(name: string): Promise<SectionWriter> {
    this.#checkOpen('open a section');
    if (!isSectionName(name)) {
      throw new MonolithError(
        'InvalidArgument',
        `checkpoint-${this.step}: bad section name ${JSON.stringify(name)}; expected 1 to 128 letters, digits, '.', '_' or '-', first a letter or digit`,
        { section: name },
      );
    }
    const key = name.toLowerCase();
    if (this.#sections.has(key)) {
      throw new MonolithError('InvalidArgument', `checkpoint-${this.step}: section ${name} was opened twice`, { section: name });
    }
    this.#sections.set(key, null);
    try {
      const section = await SectionWriter.create(this.temporaryFolder, name, this.#crc32c, (error) => this.#fail(error));
      this.#sections.set(key, section);
      if (this.#failure !== null) await section.discard();
      this.#checkOpen('open a section');
      return section;
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  /** Opens a section, appends all of `bytes` and closes it. @throws as {@link section} */
  async writeSection(name: string, bytes: Uint8Array): Promise<ClosedSection> {
    const section = await this.section(name);
    await section.append(bytes);
    return await section.close();
  }

  /**
   * Makes the checkpoint durable and visible, then updates the state files `checkpoint` and `monolith_checkpoint`.
   *
   * @param fields plain JSON for the manifest: config, data, metrics, model, …; nothing of the clock or the machine.
   * @param base   the whole checkpoint of the same folder that this one is a delta of (see {@link referenceTo}); null: this one is whole.
   * @returns path of the manifest.
   * @throws InvalidArgument (a section still open, a reserved field), DiskFull, WriteFailed. If it fails after the manifest got its
   *   name, the checkpoint is whole and will load, but was not promised to survive a power cut.
   */
  async commit(fields: ManifestFields, base: BaseReference | null = null): Promise<string> {
    this.#checkOpen('commit');
    const sections: SectionInfo[] = [];
    try {
      for (const [name, section] of this.#sections) {
        const result = section?.result ?? null;
        if (result === null) {
          throw new MonolithError('InvalidArgument', `checkpoint-${this.step}: section ${name} is still open at commit`, { section: name });
        }
        sections.push(result);
      }
      this.#state = 'committing';
      failpoint('checkpoint.beforeFolderSync');
      await fsyncFolder(this.temporaryFolder);
      const path = await commitCheckpoint(this.modelDir, { step: this.step, folder: this.#folder, base, sections, fields });
      this.#state = 'committed';
      return path;
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  /** Gives the save up and deletes its files; does nothing after a commit. Never throws. */
  async abort(): Promise<void> {
    if (this.#state === 'open') await this.#fail(new MonolithError('Aborted', `checkpoint-${this.step}: the save was given up`));
    await this.#cleanup;
  }

  #checkOpen(call: string): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#state !== 'open') {
      throw new MonolithError('InvalidArgument', `checkpoint-${this.step}: can't ${call}: the save is already ${this.#state}`);
    }
  }

  /** Remembers the first error and cleans up once; resolves when that is done. */
  #fail(error: unknown): Promise<void> {
    if (this.#failure === null) {
      this.#failure = error;
      this.#state = 'aborted';
      this.#cleanup = this.#removeFiles();
    }
    return this.#cleanup;
  }

  async #removeFiles(): Promise<void> {
    for (const section of this.#sections.values()) await section?.discard();
    await removeQuietly(this.temporaryFolder);
  }
}
