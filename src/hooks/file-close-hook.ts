import type { TrainHook } from '../training/index.js';

/** Closes files when a run ends, however it ends, all of them even where one fails. */
export class FileCloseHook implements TrainHook {
  readonly name: string = 'FileCloseHook';

  /** @param files what to close, such as a WritableFile. */
  constructor(readonly files: readonly { close(): void | Promise<void> }[]) {}

  /** @throws what closing a file threw, the first of several. */
  async close(): Promise<void> {
    const results = await Promise.allSettled(this.files.map(async (file) => file.close()));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}
