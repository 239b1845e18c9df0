import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MonolithError } from '../../base/index.js';
import type { ResolvedConfig } from '../../config/index.js';
import { Estimator } from '../../estimator/index.js';
import { evalEvent, evaluationLine, eventLine } from '../../telemetry/index.js';
import { ExitCode } from '../exit-codes.js';
import type { Output } from '../output.js';

/** `monolith-local eval`: metrics of the newest checkpoint on the evaluation data. */
export async function evaluateCommand(resolved: ResolvedConfig, output: Output): Promise<number> {
  const { step, metrics } = await new Estimator(resolved).evaluate();
  output.result(resolved.config.json ? eventLine(evalEvent(step, metrics)) : `${evaluationLine(step, metrics)}\n`);
  return ExitCode.done;
}

/** `monolith-local predict`: exactly one line a record, in their order; `nan` (`null` in JSON) for one that can't be read or holds NaN. */
export async function predictCommand(resolved: ResolvedConfig, outputFile: string | null, output: Output): Promise<number> {
  const { json, quiet } = resolved.config;
  const target = outputFile === null || outputFile === '-' ? standardOutput(output) : await PredictionFile.open(outputFile);
  let bad = 0;
  try {
    const count = await new Estimator(resolved).predict(async (predictions) => {
      let text = '';
      for (const value of predictions) {
        const isBad = Number.isNaN(value);
        if (isBad) bad++;
        const figure = isBad ? Number.NaN : Number(value.toPrecision(FIGURES));
        text += json ? `${JSON.stringify({ event: 'prediction', value: isBad ? null : figure })}\n` : isBad ? 'nan\n' : `${figure}\n`;
      }
      await target.write(text);
    });
    await target.commit();
    if (!quiet)
      output.talk(
        `${count} predictions${count === 0 ? ': the data have no records' : ''}${bad > 0 ? `, ${bad} of them ${json ? 'null' : 'nan'}: records that cannot be read or hold NaN` : ''}\n`,
      );
    return ExitCode.done;
  } finally {
    await target.close();
  }
}

/** Figures that tell every float32 from its neighbours. */
const FIGURES = 9;

type Target = { write(text: string): Promise<void>; commit(): Promise<void>; close(): Promise<void> };

function standardOutput(output: Output): Target {
  const nothing = async (): Promise<void> => {};
  return { write: (text) => output.pour(text), commit: nothing, close: nothing };
}

/**
 * A file that appears under its name once it is whole. What a link points to is replaced, not the link; a device or a pipe is written to and
 * stays what it is.
 */
class PredictionFile implements Target {
  private committed = false;

  private constructor(
    private readonly path: string,
    private readonly temporary: string,
    private readonly file: FileHandle,
  ) {}

  static async open(path: string): Promise<PredictionFile> {
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory() === true) throw new MonolithError('InvalidConfig', `--output: ${path} is a folder`);
    try {
      if (there !== null && !there.isFile()) return new PredictionFile(path, path, await open(path, 'w'));
      const target = there === null ? path : await realpath(path);
      const temporary = `${target}.${process.pid}.tmp`;
      return new PredictionFile(target, temporary, await open(temporary, 'wx'));
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const why = missing ? `there is no folder ${dirname(path)}; make it first` : (error as Error).message;
      throw new MonolithError('InvalidConfig', `--output: can't write ${path}: ${why}`, { path }, { cause: error });
    }
  }

  write(text: string): Promise<void> {
    return this.attempt(() => this.file.appendFile(text));
  }

  commit(): Promise<void> {
    return this.attempt(async () => {
      await this.file.close();
      if (this.temporary !== this.path) await rename(this.temporary, this.path);
      this.committed = true;
    });
  }

  async close(): Promise<void> {
    if (this.committed) return;
    await this.file.close().catch(() => undefined);
    if (this.temporary !== this.path) await rm(this.temporary, { force: true });
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new MonolithError(
        full ? 'DiskFull' : 'WriteFailed',
        `${this.path}: ${(error as Error).message}; nothing was left there`,
        { path: this.path },
        { cause: error },
      );
    }
  }
}
