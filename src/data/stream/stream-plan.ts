import { MonolithError } from '../../base/index.js';
import { type CompiledGroup, compileProgram } from '../compile.js';
import { type FileInfo, fileInfo } from '../file-source.js';
import { completeOptions, type DataPlan, planOf } from '../inputs.js';
import { describeFile, describeHead, type FileDescription } from '../inspect.js';
import { isMonolithFormat, type PipelineOptions, type ResolvedFormat } from '../options.js';
import type { Program } from '../program.js';
import { framingOf, type MessageForm } from './kafka-messages.js';
import { isStreamSpec, tailPath } from './stream-spec.js';

/** Formats whose records come one by one. */
const FORMATS: readonly string[] = [
  'csv',
  'tsv',
  'criteo',
  'libsvm',
  'libffm',
  'jsonl',
  'vw',
  'instance',
  'example',
] satisfies ResolvedFormat[];

/** A stream with its records understood; its `files` are the texts that name its sources. */
export type StreamPlan = { readonly data: DataPlan; readonly specs: readonly string[]; readonly form: MessageForm };

/** Splits what `data.train` names into files to read first and sources of the stream. Standard input is a source. */
export function splitSources(names: readonly string[]): { readonly files: readonly string[]; readonly specs: readonly string[] } {
  const isSpec = (name: string): boolean => name === '-' || isStreamSpec(name);
  return { files: names.filter((name) => !isSpec(name)), specs: names.filter(isSpec) };
}

/**
 * Settles format, columns and inputs of a stream without opening it.
 * @param format that of the files read before it, where there are some.
 * @throws InvalidConfig, DataFormat
 */
export async function planStream(given: Partial<PipelineOptions>, specs: readonly string[], format?: ResolvedFormat): Promise<StreamPlan> {
  const options = completeOptions({ ...given, ...(format === undefined ? {} : { format }) });
  if (options.split.by !== 'none' && options.split.part !== 'all') {
    throw new MonolithError('InvalidConfig', 'data.split: a stream is trained whole; name evaluation data of their own (--eval-data)');
  }
  if (options.schema?.filters !== undefined) {
    throw new MonolithError('InvalidConfig', 'filters of the schema do not hold in a stream yet: take them out, or train from files');
  }
  const doubled = specs.find((spec, i) => specs.indexOf(spec) !== i);
  if (doubled !== undefined)
    throw new MonolithError('InvalidConfig', `${doubled} is named twice: name each source once`, { source: doubled });
  const first = await describe(specs[0] ?? '', options);
  if (!FORMATS.includes(first.format)) {
    throw new MonolithError('InvalidConfig', `format ${first.format} cannot be read as a stream; these can: ${FORMATS.join(', ')}`, {
      format: first.format,
    });
  }
  if (first.format === 'libffm' && options.numFields === null) {
    throw new MonolithError('InvalidConfig', 'LibFFM from a stream needs data.numFields: what has not come cannot be counted');
  }
  const framing = options.bareMessage ? null : options.framing;
  const form: MessageForm = isMonolithFormat(first.format) ? { kind: 'frames', framing } : { kind: 'lines' };
  return { data: await planOf(options, [first.info], first), specs, form };
}

async function describe(spec: string, options: PipelineOptions): Promise<FileDescription> {
  const path = tailPath(spec);
  const info = path === null || /[*?[{]/.test(path) ? null : await fileInfo(path).catch(() => null);
  if (info !== null && info.compression !== 'none')
    throw new MonolithError('DataFormat', `${spec}: compressed files are not read as a stream`, { source: spec });
  // What stands there already says more than options do.
  if (info !== null && info.size !== null && info.size > 0 && path !== null) return describeFile(info, options);
  const name = path ?? spec;
  const extension = /\.(csv|tsv|libsvm|libffm|jsonl|vw)$/.exec(name)?.[1] as ResolvedFormat | undefined;
  const format = options.format === 'auto' ? extension : options.format;
  if (format === undefined) {
    throw new MonolithError('InvalidConfig', `${spec}: nothing has come yet from which the format could be told; name it with --format`, {
      source: spec,
    });
  }
  const head: FileInfo = { path: spec, compression: 'none', size: null, storedBytes: null };
  return describeHead(head, new Uint8Array(0), { ...options, format, header: false });
}

/** What parses the records of a stream. */
export function compileStream({ data, form, specs }: StreamPlan, groups: readonly CompiledGroup[]): Program {
  const { first, format, schema, numFields } = data;
  const framing = framingOf(form);
  const options = framing === null ? data.options : { ...data.options, framing, bareMessage: false };
  const { columns, separator, labelType, denseType } = first;
  return compileProgram({ options, format, schema, columns, groups, numFields, separator, labelType, denseType, where: specs[0] ?? '' });
}

/** Whether a line of a file names its columns. */
export function headerTest({ data }: StreamPlan): (line: Uint8Array) => boolean {
  const { options, first, format } = data;
  const { columns } = first;
  if (options.header === false || columns === null || (format !== 'csv' && format !== 'tsv')) return () => false;
  if (options.header === true) return () => true;
  const separator = String.fromCharCode(first.separator);
  return (line) => {
    const names = Buffer.from(line).toString('utf8').trimEnd().split(separator);
    const plain = names.map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
    return plain.length === columns.length && plain.every((name, i) => name === columns[i] || name.startsWith(`${columns[i]}:`));
  };
}
