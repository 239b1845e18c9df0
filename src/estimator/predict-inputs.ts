import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MonolithError } from '../base/index.js';
import type { CheckpointReader } from '../checkpoint/index.js';
import type { TrainingConfig } from '../config/index.js';
import { isMonolithFormat } from '../data/index.js';
import { type ModelOnData, schemaInForce } from '../training/index.js';
import { type ExampleInput, encodeExamples, encodePairs } from './explicit-inputs.js';
import type { Predictions } from './model-fn.js';
import { predictTrained } from './trained.js';

/**
 * Predictions of a checkpoint for examples that a program gives. They go through the parsers of data files: a temporary file is written, read
 * and deleted.
 * @throws InvalidArgument naming input and feature; InvalidConfig where the data have no features with names.
 */
export async function predictInputs(
  config: TrainingConfig,
  checkpoint: CheckpointReader,
  inputs: readonly ExampleInput[],
): Promise<Predictions> {
  if (!Array.isArray(inputs)) throw new MonolithError('InvalidArgument', 'predictWithInputs: expected a list of inputs, [input]');
  const { step } = checkpoint;
  const { data, text } = encoded(config, checkpoint, inputs);
  if (inputs.length === 0) return { step, numExamples: 0, predictions: [] };
  const folder = await mkdtemp(join(tmpdir(), 'monolith-local-inputs-'));
  const predictions: number[][] = [];
  try {
    const path = join(folder, 'inputs');
    await writeFile(path, text, { mode: 0o600 });
    const given = { ...config.data, ...data, train: [], eval: [path], cache: 'off', maxBadRecords: 0 };
    const split = { by: 'none', fraction: 0, column: null, evalValues: [], rows: null } as const;
    await predictTrained({ ...config, data: { ...given, split } }, checkpoint, (values) => {
      for (const value of values) predictions.push([value]);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const bad = predictions.findIndex(([value]) => Number.isNaN(value));
  if (bad >= 0) {
    throw new MonolithError(
      'InvalidArgument',
      `predictWithInputs: input ${bad}: no prediction; it has more ids than data.maxIdsPerExample (${config.data.maxIdsPerExample}) allows, or numbers too large`,
      { input: bad },
    );
  }
  return { step, numExamples: predictions.length, predictions };
}

type DataOptions = Partial<TrainingConfig['data']>;

function encoded(
  config: TrainingConfig,
  checkpoint: CheckpointReader,
  inputs: readonly ExampleInput[],
): { readonly data: DataOptions; readonly text: string } {
  const { data, model } = checkpoint.manifest.fields as unknown as {
    data?: { format?: string };
    model?: { tables: ModelOnData['plan']['tables'] };
  };
  // Older checkpoints do not say which format `auto` found.
  const format = data?.format ?? config.data.format;
  if (format === 'libsvm') return { data: { format }, text: encodePairs(inputs, null) };
  if (format === 'libffm') {
    const numFields = 1 + Math.max(-1, ...(model?.tables ?? []).flatMap(({ features }) => features));
    return { data: { format, numFields }, text: encodePairs(inputs, numFields) };
  }
  const schema = schemaInForce(config.data, format);
  if (schema === null || format === 'criteo-bin' || format === 'vw' || isMonolithFormat(format)) {
    throw new MonolithError(
      'InvalidConfig',
      `predictWithInputs: data of format ${format} have no features that a program could name; write a file and use predict`,
      { format },
    );
  }
  // Names of a TFRecord are taken as they are, those of Criteo's files too.
  const rules = { trim: config.data.trim && format !== 'criteo' && format !== 'tfrecord', float32: format === 'tfrecord' };
  const { text, schema: own } = encodeExamples(inputs, schema, rules);
  return { data: { format: 'csv', schema: own, separator: ',', header: true, trim: false }, text };
}
