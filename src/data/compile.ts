import { MonolithError, suggest } from '../base/index.js';
import {
  type BucketizedFeature,
  type CrossFeature,
  defaultMissingValues,
  type FeatureSchema,
  isSampling,
  partsOf,
  splitFeatures,
} from '../features/index.js';
import { checkFormatKnows, filterParts } from './compile-filters.js';
import { parseColumnName } from './monolith/columns.js';
import type { NpzColumns } from './npz/columns.js';
import { hasListsOfAnyLength, isMonolithFormat, type PipelineOptions, type ResolvedFormat } from './options.js';
import { A, ActionWords, CrossMode, Flag, LabelMode, Op, P, type Program, ProgramFormat, Transform } from './program.js';
import { parseVwColumn } from './vw/columns.js';

/** The features of one batch group, as the program needs them. */
export type CompiledGroup = { readonly features: readonly number[]; readonly hasValues: boolean };

export type CompileInput = {
  readonly options: PipelineOptions;
  readonly format: ResolvedFormat;
  readonly schema: FeatureSchema | null;
  /** Column names of this file in order (text), or null. */
  readonly columns: readonly string[] | null;
  /** Bytes that the parser of this file needs to know. */
  readonly extraStrings?: readonly Uint8Array[];
  /** Columns that hold lists: what reads them is a bag. */
  readonly lists?: ReadonlySet<string>;
  readonly groups: readonly CompiledGroup[];
  readonly numFields: number;
  readonly separator: number;
  /** Criteo files with a header of their own: label and dense types win over the options. */
  readonly labelType: 'int32' | 'float32';
  readonly denseType: 'int32' | 'float32';
  /** What the columns of an .npz file are; null for other formats. */
  readonly npz?: NpzColumns | null;
  readonly where: string;
};

type Action = { words: Int32Array; order: number };

/**
 * Compiles schema, format and columns into a {@link Program} over shared memory.
 *
 * @throws InvalidConfig when the schema names a column that the file does not have.
 */
export function compileProgram(input: CompileInput): Program {
  const builder = new ProgramBuilder(input);
  return builder.build();
}

class ProgramBuilder {
  private readonly constants: number[] = [];
  private readonly strings: Uint8Array[] = [];
  private readonly actions: Action[] = [];
  private readonly closing: Int32Array[] = [];
  private readonly names = new Map<string, number>();
  private readonly columnIndex: Map<string, number> | null;

  constructor(private readonly input: CompileInput) {
    this.columnIndex = input.columns === null ? null : new Map(input.columns.map((name, i) => [name, i]));
  }

  build(): Program {
    const { input } = this;
    const { options, format, groups } = input;
    const header = new Int32Array(P.headerWords);
    const schema = input.schema;
    const missing = schema?.missingValues ?? defaultMissingValues;
    header[P.missingFirst] = this.addStrings(missing);
    header[P.missingCount] = missing.length;
    if (schema !== null) checkFormatKnows(schema, format, input.where);
    if (schema !== null && format !== 'criteo-bin') this.addSchemaActions(schema);
    if (format === 'criteo-bin' && schema !== null) this.addCriteoBinActions(schema);
    if (schema !== null && options.requireLabel) this.addFilters(schema);
    this.actions.sort((a, b) => a.order - b.order);
    const names = [...this.names.keys()];
    header[P.namesFirst] = this.addStrings(names);
    header[P.extraFirst] = this.strings.length;
    this.strings.push(...(input.extraStrings ?? []));
    header[P.format] = formatWord(format);
    header[P.flags] =
      (options.requireLabel ? Flag.requireLabel : 0) |
      (options.trim && format !== 'criteo' ? Flag.trim : 0) |
      (format === 'csv' ? Flag.quotes : 0) |
      (format === 'criteo' && !options.requireLabel ? Flag.mayLackFirstColumn : 0) |
      (options.unitLabels ? Flag.unitLabel : 0) |
      (isMonolithFormat(format) ? framingFlags(options) : 0);
    header[P.separator] = input.separator;
    header[P.columns] = input.columns?.length ?? names.length;
    header[P.maxIds] = options.maxIdsPerExample;
    header[P.numDense] = schema === null ? 0 : splitFeatures(schema).dense.length;
    header[P.numGroups] = groups.length;
    header[P.numActions] = this.actions.length;
    header[P.numClosing] = this.closing.length;
    header[P.labelType] = input.labelType === 'float32' ? 1 : 0;
    header[P.denseType] = input.denseType === 'float32' ? 1 : 0;
    header[P.numFields] = input.numFields;
    header[P.maxRecord] = options.maxRecordBytes;
    const words: number[] = [];
    const at = (): number => P.headerWords + words.length;
    header[P.groupsAt] = at();
    for (const group of groups) words.push(group.features.length, group.hasValues ? 1 : 0);
    header[P.fieldsAt] = at();
    words.push(...this.fieldTable());
    header[P.actionsAt] = at();
    for (const action of this.actions) words.push(...action.words);
    for (const action of this.closing) words.push(...action);
    header[P.rowBytes] = input.npz?.rowBytes ?? 0;
    header[P.tableAt] = at();
    words.push(...(input.npz?.table ?? []));
    header[P.stringsAt] = at();
    header[P.numStrings] = this.strings.length;
    let end = 0;
    words.push(0);
    for (const text of this.strings) {
      end += text.length;
      words.push(end);
    }
    const shared = new Int32Array(new SharedArrayBuffer((P.headerWords + words.length) * 4));
    shared.set(header);
    shared.set(words, P.headerWords);
    const constants = new Float64Array(new SharedArrayBuffer(this.constants.length * 8));
    constants.set(this.constants);
    const strings = new Uint8Array(new SharedArrayBuffer(end));
    let offset = 0;
    for (const text of this.strings) {
      strings.set(text, offset);
      offset += text.length;
    }
    return { words: shared, constants, strings };
  }

  /** [numFields × 2]: where each LibFFM field (or LibSVM's one feature) goes. */
  private fieldTable(): number[] {
    const { numFields, groups } = this.input;
    const table = new Array<number>(numFields * 2).fill(-1);
    groups.forEach((group, g) => {
      group.features.forEach((feature, j) => {
        if (feature >= numFields) return;
        table[feature * 2] = g;
        table[feature * 2 + 1] = j;
      });
    });
    return table;
  }

  private addSchemaActions(schema: FeatureSchema): void {
    const { requireLabel, split } = this.input.options;
    const text = this.columnIndex !== null;
    if (requireLabel || !text || this.columnIndex?.has(schema.label.column)) this.addLabel(schema);
    // Predictions do not depend on weights; one of 0 beside an absent label would look like a bad record there.
    if (schema.weight !== undefined && requireLabel) this.add(Op.weight, schema.weight.column, 'weight', -2);
    if (split.by === 'column') {
      // Filters come before what may be wrong with a record; which part it belongs to must be known then.
      const action = this.add(Op.evalValue, split.column ?? '', 'split', schema.filters === undefined ? -1 : -5);
      const values = split.evalValues ?? [];
      action[A.stringFirst] = this.addStrings(values);
      action[A.stringCount] = values.length;
    }
    this.addNumbers(schema);
    this.addSparse(schema, (feature) => feature.column ?? feature.name);
  }

  private addLabel(schema: FeatureSchema): void {
    const action = this.add(Op.label, schema.label.column, 'label', -3);
    const { positive, greaterThan } = schema.label;
    if (greaterThan !== undefined) {
      const limit = this.add(Op.labelLimit, greaterThan.column, 'label', -2);
      for (const words of [action, limit]) {
        words[A.constantFirst] = this.constants.push(greaterThan.times ?? 1) - 1;
        words[A.constantCount] = 1;
      }
      action[A.mode] = LabelMode.greaterThan;
    } else if (positive === undefined) action[A.mode] = LabelMode.number;
    else if ('atLeast' in positive) {
      action[A.mode] = LabelMode.atLeast;
      action[A.constantFirst] = this.constants.push(positive.atLeast) - 1;
      action[A.constantCount] = 1;
    } else {
      action[A.mode] = LabelMode.positive;
      action[A.stringFirst] = this.addStrings(positive);
      action[A.stringCount] = positive.length;
    }
  }

  private addFilters({ filters = [] }: FeatureSchema): void {
    let samplings = 0;
    filters.forEach((entry, i) => {
      if (isSampling(entry)) {
        const action = this.addClosing(Op.sample, [entry.sample.label]);
        action[A.mode] = samplings++;
        return;
      }
      const { mode, constants, strings } = filterParts(entry);
      const what = `filter ${i + 1}`;
      if (strings.length > 0 && this.input.format === 'criteo-bin') {
        throw new MonolithError(
          'InvalidConfig',
          `${this.input.where}: ${what}: criteo-bin holds numbers; give numbers, got "${strings[0]}"`,
        );
      }
      const { column } = entry;
      const action = column === undefined ? this.addClosing(Op.labelFilter, constants) : this.add(Op.filter, column, what, -4);
      action[A.mode] = mode;
      if (column !== undefined) action[A.constantFirst] = this.constants.push(...constants) - constants.length;
      action[A.constantCount] = constants.length;
      action[A.stringFirst] = this.addStrings(strings);
      action[A.stringCount] = strings.length;
    });
  }

  private addClosing(op: number, constants: readonly number[]): Int32Array {
    const words = new Int32Array(ActionWords);
    words[A.op] = op;
    words[A.constantFirst] = this.constants.push(...constants) - constants.length;
    words[A.constantCount] = constants.length;
    this.closing.push(words);
    return words;
  }

  private addNumbers(schema: FeatureSchema): void {
    splitFeatures(schema).dense.forEach((feature, i) => {
      const action = this.add(Op.numeric, feature.column ?? feature.name, `feature "${feature.name}"`, 0);
      action[A.dense] = i;
      action[A.transform] = Transform[feature.transform ?? 'none'];
      action[A.constantFirst] = this.constants.push(feature.missing ?? 0, feature.mean ?? 0, feature.stddev ?? 1) - 3;
      action[A.constantCount] = 3;
    });
  }

  private addSparse(schema: FeatureSchema, columnOf: (feature: { name: string; column?: string | undefined }) => string): void {
    const { sparse } = splitFeatures(schema);
    const monolith = isMonolithFormat(this.input.format);
    const listsOfAnyLength = hasListsOfAnyLength(this.input.format);
    const given = new Map(schema.features.map((feature) => [feature.name, feature as { slot?: number | undefined }]));
    this.input.groups.forEach((group, g) => {
      group.features.forEach((number, j) => {
        const feature = sparse[number];
        if (feature === undefined) throw unknownFeature(number, sparse.length);
        if (feature.type === 'cross') {
          this.addCross(schema, feature, g, j);
          return;
        }
        const op = feature.type === 'categorical' ? Op.categorical : bucketOp(feature);
        const action = this.add(op, columnOf(feature), `feature "${feature.name}"`, 1 + g * 65536 + j);
        action[A.slot] = feature.slot;
        action[A.group] = g;
        action[A.index] = j;
        action[A.separator] = -1;
        if (feature.type === 'categorical') {
          const isList = this.input.lists?.has(columnOf(feature)) === true;
          const bag = isList || feature.separator !== undefined || (feature.maxLength ?? 1) > 1;
          action[A.separator] = feature.separator === undefined ? -1 : feature.separator.charCodeAt(0);
          action[A.maxLength] = feature.maxLength ?? 0;
          action[A.missingToken] = (feature.missing ?? (bag || listsOfAnyLength ? 'skip' : 'token')) === 'token' ? 1 : 0;
          action[A.replaceSlot] = monolith && given.get(feature.name)?.slot !== undefined ? 1 : 0;
        } else if (feature.boundaries !== undefined) this.addBoundaries(action, feature);
      });
    });
  }

  private addCross(schema: FeatureSchema, cross: CrossFeature & { readonly slot: number }, g: number, j: number): void {
    const parts = partsOf(schema.features, cross);
    parts.forEach(({ column, feature }, k) => {
      const action = this.add(Op.crossPart, column, `feature "${cross.name}"`, 1 + g * 65536 + j);
      action[A.slot] = cross.slot;
      action[A.group] = g;
      action[A.index] = j;
      action[A.dense] = k;
      action[A.mode] = k === parts.length - 1 ? CrossMode.last : CrossMode.part;
      action[A.missingToken] = (cross.missing ?? (isMonolithFormat(this.input.format) ? 'skip' : 'token')) === 'token' ? 1 : 0;
      action[A.transform] = feature?.type !== 'bucketized' ? Op.categorical : bucketOp(feature);
      if (feature?.type === 'bucketized') this.addBoundaries(action, feature);
    });
  }

  private addBoundaries(action: Int32Array, { boundaries = [] }: BucketizedFeature): void {
    action[A.constantFirst] = this.constants.push(...boundaries) - boundaries.length;
    action[A.constantCount] = boundaries.length;
  }

  /** criteo-bin: columns are label 0, dense 1..13, ids 14..39 by position; op categorical means "the id as it is". */
  private addCriteoBinActions(schema: FeatureSchema): void {
    const { dense } = splitFeatures(schema);
    dense.forEach((feature, i) => {
      const action = this.add(Op.numeric, feature.column ?? feature.name, `feature "${feature.name}"`, 0);
      action[A.dense] = i;
    });
    this.addSparse(schema, (feature) => feature.column ?? feature.name);
  }

  private add(op: number, column: string, what: string, order: number): Int32Array {
    const words = new Int32Array(ActionWords);
    words[A.op] = op;
    words[A.column] = this.column(column, what);
    this.actions.push({ words, order });
    return words;
  }

  private column(name: string, what: string): number {
    if (this.columnIndex === null) {
      const { format, where } = this.input;
      if (isMonolithFormat(format)) parseColumnName(name, format === 'instance', `${where}: ${what}`);
      if (format === 'vw') parseVwColumn(name, `${where}: ${what}`);
      const known = this.names.get(name);
      if (known !== undefined) return known;
      this.names.set(name, this.names.size);
      return this.names.size - 1;
    }
    const index = this.columnIndex.get(name);
    if (index !== undefined) return index;
    const columns = [...this.columnIndex.keys()];
    const meant = suggest(name, columns);
    const hint = meant === null ? '' : `; did you mean ${meant}?`;
    throw new MonolithError(
      'InvalidConfig',
      `${this.input.where}: ${what} wants column "${name}", the file has ${columns.length} columns: ${columns.slice(0, 20).join(', ')}${columns.length > 20 ? ', …' : ''}${hint}`,
      { column: name, columns: columns.slice(0, 64) },
    );
  }

  /** Appends texts; returns the number of the first. */
  private addStrings(texts: readonly string[]): number {
    const first = this.strings.length;
    for (const text of texts) this.strings.push(Buffer.from(text, 'utf8'));
    return first;
  }
}

function bucketOp(feature: BucketizedFeature): number {
  return feature.method === 'log2-squared' ? Op.log2squared : Op.boundaries;
}

function unknownFeature(number: number, count: number): MonolithError {
  return new MonolithError('InvalidArgument', `groups: feature number ${number}, the data have ${count} categorical features`, { number });
}

function framingFlags({ framing, bareMessage }: PipelineOptions): number {
  if (bareMessage) return Flag.bare;
  return (
    (framing.hasSortId ? Flag.hasSortId : 0) |
    (framing.kafkaDump ? Flag.kafkaDump : 0) |
    (framing.kafkaDumpPrefix ? Flag.kafkaDumpPrefix : 0) |
    (framing.lagrangexHeader ? Flag.lagrangexHeader : 0)
  );
}

function formatWord(format: ResolvedFormat): number {
  switch (format) {
    case 'csv':
    case 'tsv':
    case 'criteo':
      return ProgramFormat.delimited;
    case 'criteo-bin':
      return ProgramFormat.criteoBin;
    case 'libsvm':
      return ProgramFormat.libsvm;
    case 'libffm':
      return ProgramFormat.libffm;
    case 'tfrecord':
      return ProgramFormat.tfrecord;
    case 'jsonl':
      return ProgramFormat.jsonl;
    case 'vw':
      return ProgramFormat.vw;
    case 'npz':
      return ProgramFormat.npz;
    case 'instance':
      return ProgramFormat.instance;
    case 'example':
      return ProgramFormat.example;
    case 'example-batch':
      return ProgramFormat.exampleBatch;
    case 'example-batch-row-major':
      return ProgramFormat.rowMajor;
    case 'parquet':
      return ProgramFormat.parquet;
    case 'arrow':
      return ProgramFormat.arrow;
    case 'avro':
      return ProgramFormat.avro;
    default:
      return format satisfies never;
  }
}
