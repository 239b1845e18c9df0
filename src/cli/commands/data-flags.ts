import type { Argv, Options } from 'yargs';
import { MonolithError } from '../../base/index.js';
import type { RecordOptions } from '../../records/index.js';
import type { CommandArguments } from '../flags.js';

type Flags = { readonly [flag: string]: Options };

const reading = {
  format: { type: 'string', default: 'auto', describe: 'Format of the files; auto looks at their first bytes and names' },
  'read-option': { type: 'string', describe: 'NAME=VALUE, an option of the format for reading; may be repeated (docs/data-tools.md)' },
  quiet: { type: 'boolean', default: false, describe: 'No progress' },
  json: { type: 'boolean', default: false, describe: 'The result as one JSON object' },
} as const satisfies Flags;

const writing = {
  to: { type: 'string', describe: 'Format to write; the name of the file tells it otherwise' },
  'write-option': { type: 'string', describe: 'NAME=VALUE, an option of the format for writing; may be repeated' },
  force: { type: 'boolean', default: false, describe: 'Replace files that are there' },
} as const satisfies Flags;

/** Flags of the commands of `data`. */
export const dataFlags = {
  inspect: {
    ...reading,
    html: { type: 'string', describe: 'Write a page to look at to this file' },
    schema: { type: 'string', describe: 'Write a configuration for train to this file' },
    label: { type: 'string', describe: 'With --schema: the column that is the label' },
    force: writing.force,
  },
  stats: {
    ...reading,
    against: { type: 'string', describe: 'A later set to compare (file, glob; may be repeated): how far each column has drifted' },
    html: { type: 'string', describe: 'Write a page to look at to this file' },
    force: writing.force,
  },
  convert: {
    ...reading,
    ...writing,
    out: { type: 'string', demandOption: true, describe: 'File to write; gzip where the name ends in .gz' },
    columns: { type: 'string', describe: 'Columns to keep, in this order: a,b,c' },
    drop: { type: 'string', describe: 'Columns to leave out: a,b,c' },
    rename: { type: 'string', describe: 'New names: old=new,old=new' },
    kinds: { type: 'string', describe: 'Columns to turn into another kind: a=text,b=float32,c=int64[]' },
    rows: { type: 'string', describe: 'The first N records, or records A-B (from 1)' },
    shards: { type: 'string', default: '1', describe: 'Files that the records are dealt to in turn' },
  },
  split: {
    ...reading,
    ...writing,
    out: { type: 'string', demandOption: true, describe: 'Folder for the parts' },
    parts: { type: 'string', default: 'train=0.8,valid=0.1,test=0.1', describe: 'Names and shares of the parts' },
    by: { type: 'string', default: 'random', describe: 'random, user (all records of a user in one part) or time (the earliest first)' },
    column: { type: 'string', describe: 'by user: the column with the user; by time: the one with the time' },
    seed: { type: 'string', default: '42', describe: 'Another seed gives another split' },
  },
  generate: {
    ...writing,
    out: { type: 'string', demandOption: true, describe: 'File to write' },
    count: { type: 'string', default: '100000', describe: 'Records to make' },
    start: { type: 'string', default: '0', describe: 'Number of the first one: train = 0 to N, test = N on' },
    rows: { type: 'string', default: '1048576', describe: 'Values of a column' },
    zipf: { type: 'string', default: '1.05', describe: 'Value k has a chance of 1/k to this power' },
    seed: { type: 'string', default: '1', describe: 'Another seed, another truth and other records' },
    preset: {
      type: 'string',
      default: 'uniform',
      describe: "uniform: --rows values in every column; kaggle: those of Criteo's contest, at most --rows",
    },
    truth: { type: 'string', describe: 'Write the planted logits to this file, one float32 a record' },
    schema: { type: 'string', describe: 'A training configuration: make records of its schema instead of clicks' },
    quiet: reading.quiet,
    json: reading.json,
  },
  validate: {
    ...reading,
    schema: { type: 'string', describe: 'A training configuration: hold the records against its data section, as training would' },
    most: { type: 'string', default: '20', describe: 'Bad records to name; the others are counted' },
  },
} as const satisfies { readonly [command: string]: Flags };

export type DataCommand = keyof typeof dataFlags;

const describe: Readonly<Record<DataCommand, string>> = {
  inspect: 'what columns there are and what they hold',
  stats: 'figures of every column; how far another set has drifted',
  convert: 'copy records into another format, lossless or not at all',
  split: 'deal records to training, validation and test files',
  generate: 'make records with a known truth',
  validate: 'read every record; exit code 1 where one is bad',
};

/** The commands behind `data`. */
export function dataCommands(parser: Argv, run: (command: DataCommand) => (args: CommandArguments) => Promise<void>): Argv {
  let commands = parser;
  for (const command of Object.keys(dataFlags) as DataCommand[]) {
    const takesFiles = command !== 'generate';
    commands = commands.command(
      takesFiles ? `${command} <files..>` : command,
      describe[command],
      (sub) =>
        (takesFiles ? sub.positional('files', { type: 'string', array: true, describe: 'Files, globs, folders' }) : sub).options(
          dataFlags[command],
        ),
      run(command),
    );
  }
  return commands
    .demandCommand(1, `Name what to do with data: ${Object.keys(dataFlags).join(', ')}.`)
    .strictCommands()
    .epilogue('Formats and their options: docs/data-tools.md.');
}

/** A flag's texts, given once, several times or not at all. */
export function textsOf(value: unknown): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
}

/** A flag's list: `a,b,c`; undefined where it is not given. */
export function wordsOf(value: unknown): string[] | undefined {
  const words = textsOf(value).flatMap((text) => text.split(',').map((word) => word.trim()));
  return value === undefined ? undefined : words.filter((word) => word !== '');
}

export function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** `NAME=VALUE` flags as options of a format. @throws InvalidConfig */
export function formatOptions(flag: string, value: unknown): RecordOptions {
  return Object.fromEntries(
    textsOf(value).map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new MonolithError('InvalidConfig', `--${flag} ${text}: expected NAME=VALUE`);
      const given = text.slice(at + 1);
      return [text.slice(0, at), given === 'true' || given === 'false' ? given === 'true' : given];
    }),
  );
}

/** @throws InvalidConfig */
export function numberOf(flag: string, value: unknown): number {
  const number = Number(value);
  if (String(value).trim() !== '' && Number.isFinite(number)) return number;
  throw new MonolithError('InvalidConfig', `--${flag} ${String(value)}: expected a number`);
}

/** @throws InvalidConfig */
export function choiceOf<Choice extends string>(flag: string, choices: readonly Choice[], value: unknown): Choice {
  const choice = choices.find((one) => one === value);
  if (choice !== undefined) return choice;
  throw new MonolithError('InvalidConfig', `--${flag}: expected one of ${choices.join(', ')}, got ${JSON.stringify(value)}`);
}
