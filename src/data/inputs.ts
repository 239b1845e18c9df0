// Names that a model may know, and the sizes of batches, from the options and the files' heads.
import { MonolithError } from '../base/index.js';
import { type FeatureCombiner, type FeatureSchema, type SparseFeature, splitFeatures } from '../features/index.js';
import type { BatchLayout } from '../tensor/index.js';
import type { ColumnarPlan, PlannedBlock } from './columnar/plan.js';
import type { CompiledGroup } from './compile.js';
import { criteoSchema } from './criteo-schema.js';
import { type FileInfo, fileInfo, openSource } from './file-source.js';
import { describeFile, type FileDescription } from './inspect.js';
import { hasListsOfAnyLength, type PipelineOptions, pipelineDefaults, type ResolvedFormat } from './options.js';
import { expandFiles, standardInput } from './paths.js';

/** Numbers of the combiners as kernels know them. */
const combinerNumber = { sum: 0, mean: 1, sqrtn: 2 } as const satisfies Record<FeatureCombiner, number>;

/** What a model may know of the data; of the same shape as a model's inputs. */
export type DataInputs = {
  readonly dense: readonly string[];
  readonly sparse: readonly { readonly name: string; readonly combiner: 0 | 1 | 2 }[];
};

/** Everything settled before the first record is parsed. */
export type DataPlan = {
  readonly options: PipelineOptions;
  readonly files: readonly FileInfo[];
  readonly format: ResolvedFormat;
  readonly first: FileDescription;
  /** null for LibSVM and LibFFM. */
  readonly schema: FeatureSchema | null;
  readonly inputs: DataInputs;
  /** LibFFM fields; 1 for LibSVM; else 0. */
  readonly numFields: number;
};

/** Options with the defaults filled in. */
export function completeOptions(options: Partial<PipelineOptions>): PipelineOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const complete = { ...pipelineDefaults, ...given } as PipelineOptions;
  const whole = (name: keyof PipelineOptions, least: number): void => {
    const value = complete[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least) {
      throw new MonolithError('InvalidArgument', `data: ${name} is ${String(value)}, expected a whole number ≥ ${least}`, { option: name });
    }
  };
  whole('batchSize', 1);
  whole('workers', 1);
  whole('epochs', 0);
  whole('shuffle', 0);
  whole('maxBadRecords', 0);
  whole('maxIdsPerExample', 1);
  whole('headerBytes', 0);
  whole('blockBytes', 256);
  whole('maxRecordBytes', 256);
  if (complete.maxRecordBytes > 1 << 30) throw new MonolithError('InvalidArgument', 'data: maxRecordBytes is above 1 GiB');
  if (complete.parseThreads !== null) whole('parseThreads', 0);
  if (complete.numFields !== null) whole('numFields', 1);
  checkSplit(complete);
  return complete;
}

function checkSplit({ split }: PipelineOptions): void {
  const wrong = (message: string): MonolithError => new MonolithError('InvalidConfig', `data.split: ${message}`);
  if (split.by === 'fraction' && !((split.fraction ?? 0) > 0 && (split.fraction ?? 0) < 1)) {
    throw wrong(`by 'fraction' needs fraction in (0, 1), got ${split.fraction}`);
  }
  if (split.by === 'column' && (split.column === undefined || (split.evalValues ?? []).length === 0)) {
    throw wrong("by 'column' needs column and evalValues");
  }
  if (split.by === 'rows' && parseRows(split.rows) === null) throw wrong(`by 'rows' needs rows 'first-last', 1-based, got ${split.rows}`);
}

/** 'a-b' as numbers. */
export function parseRows(rows: string | undefined): { first: number; last: number } | null {
  const match = /^(\d+)-(\d+)$/.exec(rows ?? '');
  if (match === null) return null;
  const first = Number(match[1]);
  const last = Number(match[2]);
  return first >= 1 && last >= first ? { first, last } : null;
}

/** Finds the files, settles format and schema, and names the inputs. Scans LibFFM files for their fields unless numFields is given. */
export async function planData(given: Partial<PipelineOptions>): Promise<DataPlan> {
  const options = completeOptions(given);
  const files: FileInfo[] = [];
  for (const path of await expandFiles(options.files)) files.push(await fileInfo(path));
  const head = files[0];
  if (head === undefined) throw new MonolithError('DataNotFound', 'no data files are named');
  const first = await describeFile(head, options);
  const { format } = first;
  const schema = schemaFor(format, options);
  if (format === 'libsvm') {
    return {
      options,
      files,
      format,
      first,
      schema: null,
      numFields: 1,
      inputs: { dense: [], sparse: [{ name: 'features', combiner: 0 }] },
    };
  }
  if (format === 'libffm') {
    const numFields = options.numFields ?? (await countFields(files));
    const sparse = Array.from({ length: numFields }, (_, f) => ({ name: `f${f}`, combiner: combinerNumber.sum }));
    return { options, files, format, first, schema: null, numFields, inputs: { dense: [], sparse } };
  }
  if (schema === null) {
    throw new MonolithError(
      'InvalidConfig',
      `${head.path}: format ${format} needs a feature schema (label and features)${format === 'vw' ? '; its columns are label, importance, tag and the namespaces' : ''}`,
      {
        path: head.path,
      },
    );
  }
  const { dense, sparse } = splitFeatures(schema);
  const inputs = {
    dense: dense.map((feature) => feature.name),
    sparse: sparse.map((feature) => ({ name: feature.name, combiner: combinerNumber[feature.combiner] })),
  };
  return { options, files, format, first, schema, numFields: 0, inputs };
}

function schemaFor(format: ResolvedFormat, options: PipelineOptions): FeatureSchema | null {
  if (format === 'libsvm' || format === 'libffm') return null;
  if (format === 'criteo' || format === 'criteo-bin') return options.schema ?? criteoSchema(options.criteoIntegers);
  return options.schema;
}

/** The groups of a plan: those of the options, or one of all features; with values where the format has them. */
export function compileGroups(plan: DataPlan): CompiledGroup[] {
  const hasValues = plan.numFields > 0 || plan.format === 'vw';
  const all = plan.inputs.sparse.map((_, i) => i);
  const groups = plan.options.groups.length > 0 ? plan.options.groups : all.length > 0 ? [{ features: all }] : [];
  return groups.map(({ features }) => ({ features, hasValues }));
}

/** Most ids of one example in one group. */
function idBound(plan: DataPlan, features: readonly number[]): number {
  const limit = Math.max(plan.options.maxIdsPerExample, features.length);
  if (plan.schema === null) return limit;
  const { sparse } = splitFeatures(plan.schema);
  let bound = 0;
  const lists = listColumns(plan.first);
  for (const number of features) bound += longestBag(sparse[number], plan.format, lists) ?? limit;
  return Math.min(bound, limit);
}

function longestBag(feature: SparseFeature | undefined, format: ResolvedFormat, lists: ReadonlySet<string>): number | null {
  if (feature === undefined || feature.type !== 'categorical') return 1;
  const isBag = feature.separator !== undefined || hasListsOfAnyLength(format) || lists.has(feature.column ?? feature.name);
  return feature.maxLength ?? (isBag ? null : 1);
}

/** Columns of a file that hold lists. */
export function listColumns({ fields }: FileDescription): ReadonlySet<string> {
  const lists = fields?.filter((field) => field.listDepth > 0) ?? [];
  return new Set(lists.map((field) => field.name));
}

/** Whether a feature is a bag is settled by the first file: the others must agree. @throws DataFormat. */
export function checkSameLists(plan: DataPlan, description: FileDescription, lists: ReadonlySet<string>): void {
  const expected = listColumns(plan.first);
  for (const { name, column } of plan.schema?.features ?? []) {
    const wanted = column ?? name;
    if (lists.has(wanted) === expected.has(wanted)) continue;
    const { path } = description.info;
    const [here, there] = lists.has(wanted) ? ['lists', 'single values'] : ['single values', 'lists'];
    const message = `${path}, column "${wanted}": it holds ${here} here and ${there} in ${plan.first.info.path}; read the files in runs of their own`;
    throw new MonolithError('DataFormat', message, { path, column: wanted });
  }
}

/** Places of ids are Int32. */
const MOST_WORDS = 2 ** 31 - 1024;

/** Layout of the slots of one worker. @throws InvalidConfig where a batch would be too large to be addressed. */
export function batchLayout(plan: DataPlan, groups: readonly CompiledGroup[]): BatchLayout {
  const { batchSize, maxIdsPerExample } = plan.options;
  for (const group of groups) {
    const ids = idBound(plan, group.features);
    if (batchSize * Math.max(ids, group.features.length) <= MOST_WORDS) continue;
    throw new MonolithError(
      'InvalidConfig',
      `batchSize ${batchSize}: a batch with up to ${ids} ids an example (maxIdsPerExample ${maxIdsPerExample}, or maxLength in the schema) needs ${batchSize * ids * 8} bytes for them; at most ${MOST_WORDS} ids fit a batch. Make batchSize or maxIdsPerExample smaller`,
      { batchSize, maxIdsPerExample, bytes: batchSize * ids * 8 },
    );
  }
  return {
    maxExamples: batchSize,
    numDense: plan.inputs.dense.length,
    groups: groups.map((group) => ({
      numFeatures: group.features.length,
      maxIds: batchSize * idBound(plan, group.features),
      hasValues: group.hasValues,
    })),
  };
}

/** Layout of a parsed block that a raw block of usual records fills without a rest. */
export function parsedLayout(plan: DataPlan, groups: readonly CompiledGroup[], rawBytes: number, recordBytes: number): BatchLayout {
  const maxExamples = Math.ceil((rawBytes / recordBytes) * 1.25) + 16;
  return {
    maxExamples,
    numDense: plan.inputs.dense.length,
    groups: groups.map((group) => {
      const bound = idBound(plan, group.features);
      const usual = Math.min(bound, plan.schema === null ? Math.ceil(recordBytes / 4) : group.features.length * 4);
      return { numFeatures: group.features.length, maxIds: maxExamples * usual + bound + 2, hasValues: group.hasValues };
    }),
  };
}

/** Layout of a parsed block for the rows of a planned block: lists have as many values as on average in their group, and some more. */
export function plannedLayout(plan: DataPlan, groups: readonly CompiledGroup[], columnar: ColumnarPlan, block: PlannedBlock): BatchLayout {
  const sparse = plan.schema === null ? [] : splitFeatures(plan.schema).sparse;
  const columns = new Map(columnar.file.fields.map((field, i) => [field.name, i]));
  return {
    maxExamples: block.rows,
    numDense: plan.inputs.dense.length,
    groups: groups.map((group) => {
      const bound = idBound(plan, group.features);
      let usual = 0;
      for (const number of group.features) {
        const feature = sparse[number];
        const values = columnar.valuesPerRow(block, columns.get(feature.column ?? feature.name) ?? 0);
        usual += Math.max(1, values * 1.25) + (feature.type === 'categorical' && feature.separator !== undefined ? 4 : 0);
      }
      const maxIds = Math.ceil(block.rows * Math.min(bound, usual)) + bound + 2;
      return { numFeatures: group.features.length, maxIds, hasValues: group.hasValues };
    }),
  };
}

/** Largest LibFFM field number of all files, plus one. */
async function countFields(files: readonly FileInfo[]): Promise<number> {
  let most = -1;
  for (const file of files) {
    if (file.path === standardInput) {
      throw new MonolithError('InvalidConfig', 'LibFFM from standard input needs numFields: it cannot be read twice');
    }
    const source = await openSource(file, 0);
    try {
      const bytes = new Uint8Array(1 << 18);
      const scan = new FieldScan();
      for (let got = await source.read(bytes, 0, bytes.length); got > 0; got = await source.read(bytes, 0, bytes.length))
        scan.add(bytes, got);
      most = Math.max(most, scan.most);
    } finally {
      await source.close();
    }
  }
  if (most < 0) throw new MonolithError('DataFormat', `${files[0]?.path}: no "field:index:value" found; is it LibFFM?`);
  return most + 1;
}

/** Finds the largest number before the first colon of a token with two colons. */
class FieldScan {
  most = -1;
  private value = 0;
  private digits = 0;
  private field = -1;
  private colons = 0;

  add(bytes: Uint8Array, length: number): void {
    for (let i = 0; i < length; i++) {
      const c = bytes[i];
      if (c >= 48 && c <= 57) {
        this.value = this.value * 10 + (c - 48);
        this.digits++;
      } else if (c === 58) {
        this.colons++;
        if (this.colons === 1) this.field = this.digits > 0 && this.digits < 6 ? this.value : -1;
        else if (this.colons === 2 && this.field > this.most && this.field <= 32767) this.most = this.field;
        this.value = 0;
        this.digits = 0;
      } else {
        if (c === 32 || c === 10 || c === 9 || c === 13) this.colons = 0;
        this.value = 0;
        this.digits = 0;
      }
    }
  }
}

/**
 * What the data offer to a model, from the options and the files' heads, without a pool.
 * @throws DataNotFound, DataFormat, InvalidConfig.
 */
export async function inspectInputs(options: Partial<PipelineOptions>): Promise<DataInputs> {
  return (await planData(options)).inputs;
}
