import type { TrainingConfig } from '../config/index.js';
import { bytesText, counted, grouped, printable } from './text.js';

/** What a run understood, before it starts. */
export type BannerInfo = {
  readonly version: string;
  readonly config: TrainingConfig;
  readonly tables: readonly { readonly name: string; readonly dim: number; readonly features: number }[];
  /** Numbers in dense parameters. */
  readonly denseParameters: number;
  /** Files after globs are resolved, and the format found. */
  readonly trainFiles: readonly string[];
  readonly evalFiles: readonly string[];
  /** Bytes of the training files; null when not known (standard input). */
  readonly trainBytes: number | null;
  readonly format: string;
  /** How the format was told and what else was found in the files; empty where nobody had to look. */
  readonly found?: string;
  /** Kernels that run, and their instruction set. */
  readonly backend: string;
  readonly instructionSet: string | null;
  /** Step of the checkpoint that the run goes on from; null: a new run. */
  readonly resumedStep: number | null;
  /** One line more, such as why the reference backend runs. */
  readonly note?: string;
};

/** Tables named one by one; more are summed up. */
const MAX_TABLES = 3;
const MAX_FILES = 2;

function filesText(files: readonly string[]): string {
  const shown = files.slice(0, MAX_FILES).map(printable).join(', ');
  return files.length > MAX_FILES ? `${counted(files.length, 'file')}: ${shown}, …` : shown;
}

function optimizersText(config: TrainingConfig): string {
  const { sparse, linear, dense } = config.optimizer;
  const rules = [`sparse ${sparse.kind} ${sparse.learningRate}`];
  if (linear !== null) rules.push(`linear ${linear.kind}${linear.learningRate === undefined ? '' : ` ${linear.learningRate}`}`);
  rules.push(`dense ${dense.kind} ${dense.learningRate}`);
  const { schedule, clip } = config;
  if (schedule.warmupSteps > 0) rules.push(`warm-up ${counted(schedule.warmupSteps, 'step')}`);
  if (schedule.kind !== 'constant') rules.push(`${schedule.kind} over ${counted(schedule.decaySteps, 'step')}`);
  const clips = [
    clip.globalNorm > 0 && `global norm ${clip.globalNorm}`,
    clip.value > 0 && `value ${clip.value}`,
    clip.rowNorm > 0 && `row norm ${clip.rowNorm}`,
  ];
  const clipped = clips.filter((text) => text !== false);
  if (clipped.length > 0) rules.push(`clipped at ${clipped.join(', ')}`);
  return rules.join(' · ');
}

function evaluationText({ config, evalFiles }: BannerInfo): string {
  if (evalFiles.length > 0) return filesText(evalFiles);
  const { split } = config.data;
  switch (split.by) {
    case 'none':
      return 'none';
    case 'fraction':
      return `${split.fraction * 100} % of the training data`;
    case 'column':
      return `where ${printable(split.column ?? '')} is ${split.evalValues.map(printable).join(' or ')}`;
    case 'rows':
      return `rows ${split.rows} of each file`;
    default:
      return split.by satisfies never;
  }
}

function lengthText({ epochs, maxSteps }: TrainingConfig): string {
  const ends = [epochs > 0 ? counted(epochs, 'epoch') : 'no last epoch'];
  if (maxSteps > 0) ends.push(`at most ${counted(maxSteps, 'step')}`);
  return ends.join(', ');
}

/** The start-up banner: what was understood, in at most twelve lines. */
export function banner(info: BannerInfo): string {
  const { config, tables } = info;
  const named = tables.slice(0, MAX_TABLES).map((table) => `${printable(table.name)} ${table.dim} × ${counted(table.features, 'feature')}`);
  const rest = tables.slice(MAX_TABLES);
  if (rest.length > 0)
    named.push(
      `${rest.length} more × ${counted(
        rest.reduce((sum, table) => sum + table.features, 0),
        'feature',
      )}`,
    );
  const size = info.trainBytes === null ? '' : `, ${bytesText(info.trainBytes)}`;
  const start = info.resumedStep === null ? 'new' : `resumed at step ${grouped(info.resumedStep)}`;
  const staleness = config.mode === 'async' ? `, staleness ${config.staleness}` : '';
  const rows16 = config.embedding.storage === 'fp32' ? '' : `, rows in ${config.embedding.storage}`;
  const rows: [string, string][] = [
    ['model', `${printable(config.model)}, ${grouped(info.denseParameters)} dense parameters`],
    ['tables', named.length === 0 ? 'none' : named.join(', ')],
    [
      'data',
      `${filesText(info.trainFiles)} (${info.format}${size}${info.found === undefined || info.found === '' ? '' : `; ${info.found}`})`,
    ],
    ['evaluation', evaluationText(info)],
    ['cluster', `${counted(config.workers, 'worker')}, ${counted(config.ps, 'shard')}, ${config.mode}${staleness}`],
    ['kernels', `${info.backend}${info.instructionSet === null ? '' : `, ${info.instructionSet}`}, ${config.precision}${rows16}`],
    ['batch', `${grouped(config.batchSize)} × ${counted(config.workers, 'worker')}, ${lengthText(config)}, seed ${config.seed}`],
    ['optimizer', optimizersText(config)],
    ['run folder', `${printable(config.modelDir)} (${start})`],
  ];
  if (info.note !== undefined) rows.push(['note', printable(info.note)]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return [`monolith-local ${info.version}`, ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`)].join('\n');
}
