import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { MonolithError } from '../../base/index.js';
import { type CheckpointReader, listCheckpoints, openCheckpoint, verify } from '../../checkpoint/index.js';
import type { SavedTable } from '../../estimator/index.js';

export type InspectOptions = {
  readonly path: string;
  readonly verify: boolean;
  readonly json: boolean;
  readonly write: (text: string) => void;
};

/** Shows what a checkpoint holds: the newest one of a run folder, or the one named. */
export async function inspect(options: InspectOptions): Promise<void> {
  const path = await manifestOf(options.path);
  if (options.verify) await verify(path);
  const reader = await openCheckpoint(path);
  const summary = await summarise(reader);
  options.write(
    options.json ? `${JSON.stringify({ event: 'inspect', verified: options.verify, ...summary })}\n` : asText(summary, options.verify),
  );
}

async function manifestOf(path: string): Promise<string> {
  const there = await stat(path).catch(() => null);
  if (there === null)
    throw new MonolithError(
      'CheckpointNotFound',
      `${path}: there is no such file or folder; name a run folder or a checkpoint-<step>.json`,
      { path },
    );
  if (!there.isDirectory()) {
    if (/^checkpoint-\d+\.json$/.test(basename(path))) return path;
    throw new MonolithError('InvalidConfig', `inspect: ${path} is no checkpoint; name a run folder or a checkpoint-<step>.json`, { path });
  }
  // The folder of a checkpoint's sections stands beside its manifest.
  if (/^checkpoint-\d+$/.test(basename(path)) && existsSync(`${resolve(path)}.json`)) return `${resolve(path)}.json`;
  const newest = (await listCheckpoints(path)).at(-1);
  if (newest === undefined)
    throw new MonolithError('CheckpointNotFound', `${path} has no checkpoint; name a run folder or a checkpoint-<step>.json`, { path });
  return newest.path;
}

type Summary = {
  readonly step: number;
  readonly model: string;
  readonly examples: number;
  readonly metrics: { readonly [name: string]: unknown } | null;
  readonly tables: readonly SavedTable[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly norm: number }[];
  readonly sections: readonly { readonly name: string; readonly bytes: number; readonly crc32c: string }[];
};

type SavedModel = {
  readonly name: string;
  readonly parameters: readonly {
    readonly fullName: string;
    readonly shape: readonly number[];
    readonly offset: number;
    readonly length: number;
  }[];
};

async function summarise(reader: CheckpointReader): Promise<Summary> {
  const fields = reader.manifest.fields as unknown as {
    model: SavedModel;
    trainer: { examples: number };
    metrics: Summary['metrics'];
    tables: readonly SavedTable[];
  };
  const bytes = await reader.section('dense.parameters').readAll();
  const values = new Float32Array(bytes.slice().buffer);
  return {
    step: reader.step,
    model: fields.model.name,
    examples: fields.trainer.examples,
    metrics: fields.metrics,
    tables: fields.tables,
    parameters: fields.model.parameters.map(({ fullName, shape, offset, length }) => ({
      name: fullName,
      shape,
      norm: Math.hypot(...chunkNorms(values.subarray(offset, offset + length))),
    })),
    sections: reader.manifest.sections.map((section) => ({ name: section.name, bytes: section.bytes, crc32c: hex(section.crc32c) })),
  };
}

/** Norms of runs of values: Math.hypot takes its arguments on the stack, so not a million at once. */
function chunkNorms(values: Float32Array): number[] {
  const norms: number[] = [];
  for (let i = 0; i < values.length; i += 4096) norms.push(Math.hypot(...values.subarray(i, i + 4096)));
  return norms;
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

function asText(summary: Summary, verified: boolean): string {
  const lines = [
    `checkpoint-${summary.step}${verified ? ' (every byte verified)' : ''}: model ${summary.model}, ${summary.examples} examples trained`,
  ];
  if (summary.metrics !== null) {
    const shown = Object.entries(summary.metrics).map(
      ([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(6)) : String(value)}`,
    );
    lines.push(`evaluation: ${shown.join(', ')}`);
  }
  lines.push('', 'table                     rows       dim  state  sections');
  for (const table of summary.tables) {
    lines.push(
      `${table.name.padEnd(24)}  ${String(table.rows).padEnd(9)}  ${String(table.dim).padEnd(3)}  ${String(table.stateLength).padEnd(5)}  ${table.sections.length}`,
    );
  }
  lines.push('', 'parameter                         shape         L2 norm');
  for (const parameter of summary.parameters) {
    lines.push(`${parameter.name.padEnd(32)}  ${parameter.shape.join('×').padEnd(12)}  ${parameter.norm.toPrecision(6)}`);
  }
  lines.push('', 'section                                   bytes        crc32c');
  for (const section of summary.sections) lines.push(`${section.name.padEnd(40)}  ${String(section.bytes).padEnd(11)}  ${section.crc32c}`);
  return `${lines.join('\n')}\n`;
}
