import { MonolithError } from '../../base/index.js';
import { pickRows, sliceRows } from '../batch-builder.js';
import { type InputOptions, openRecords } from '../input.js';
import { Transform, type TransformOptions } from '../transform.js';
import { checkOutputs, type OutputOptions, OutputSet, outputFormat, shardPath } from './outputs.js';

export type ConvertRequest = InputOptions &
  TransformOptions & {
    readonly files: readonly string[];
    readonly out: string;
    readonly write: OutputOptions;
    /** `N`: the first N records; `A-B`: records A to B, from 1. */
    readonly rows?: string | undefined;
    /** Files that the records are dealt to in turn; 1 keeps them in one. */
    readonly shards?: number | undefined;
    /** Told now and then how many records are done. */
    readonly progress?: ((rows: number) => void) | undefined;
  };

export type ConvertResult = {
  readonly rows: number;
  readonly from: string;
  readonly to: string;
  readonly findings: readonly string[];
  readonly files: readonly { readonly path: string; readonly rows: number }[];
};

/** Shards that are written side by side; each is an open file. */
const MOST_SHARDS = 1000;

/**
 * Copies records into files of another format, without loss.
 * @throws InvalidConfig naming the fields that the format can't hold; then nothing is written.
 */
export async function convertRecords(request: ConvertRequest): Promise<ConvertResult> {
  const { out, write, shards = 1, progress } = request;
  if (!(Number.isInteger(shards) && shards >= 1 && shards <= MOST_SHARDS)) {
    throw new MonolithError('InvalidConfig', `--shards ${shards}: expected 1 to ${MOST_SHARDS}`);
  }
  const range = rowRange(request.rows);
  const format = outputFormat(out, write.to);
  const input = await openRecords(request.files, request);
  const transform = new Transform(input.fields, request);
  const paths = shards === 1 ? [out] : Array.from({ length: shards }, (_, i) => shardPath(out, i, shards));
  await checkOutputs(paths, input.files, write.force === true);
  const outputs = await OutputSet.create(paths, format, transform.fields, write.options ?? {});
  let seen = 0;
  let done = 0;
  try {
    for await (const batch of input.batches()) {
      const from = Math.min(batch.rows, Math.max(0, range.first - 1 - seen));
      const to = Math.max(from, Math.min(batch.rows, range.last - seen));
      seen += batch.rows;
      const chosen = transform.apply(sliceRows(batch, from, to));
      if (shards === 1) await outputs.write(0, chosen);
      else {
        const dealt: number[][] = paths.map(() => []);
        for (let r = 0; r < chosen.rows; r++) dealt[(done + r) % shards].push(r);
        for (const [shard, rows] of dealt.entries()) await outputs.write(shard, pickRows(chosen, rows));
      }
      done += chosen.rows;
      progress?.(done);
      if (seen >= range.last) break;
    }
    await outputs.close();
  } catch (error) {
    await outputs.abort();
    throw error;
  }
  return {
    rows: done,
    from: input.format.name,
    to: format.name,
    findings: input.findings,
    files: paths.map((path, i) => ({ path, rows: outputs.rows[i] })),
  };
}

/** @throws InvalidConfig */
export function rowRange(text: string | undefined): { first: number; last: number } {
  if (text === undefined) return { first: 1, last: Number.POSITIVE_INFINITY };
  const match = /^(?:(\d+)-)?(\d+)$/.exec(text);
  const first = Number(match?.[1] ?? 1);
  const last = Number(match?.[2] ?? 0);
  if (match !== null && first >= 1 && last >= first) return { first, last };
  throw new MonolithError('InvalidConfig', `--rows ${text}: expected N for the first N records, or A-B for records A to B, from 1`);
}
