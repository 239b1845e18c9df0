import type { Options } from 'yargs';
import type { CommandArguments } from '../flags.js';

export type InspectOptions = {
  readonly path: string;
  readonly verify: boolean;
  readonly json: boolean;
  /** Leave the rows unread: what the manifest says alone. */
  readonly brief: boolean;
  /** Rows in each list of rows. */
  readonly top: string;
  /** An older checkpoint: what changed since. */
  readonly diff: string | null;
  /** Show the row of this fid alone. */
  readonly fid: string | null;
  readonly table: string | null;
  readonly write: (text: string) => void;
};

/** Flags of `inspect`. */
export const inspectFlags = {
  verify: { type: 'boolean', default: false, describe: 'Read and check every byte' },
  brief: { type: 'boolean', default: false, describe: 'Leave the rows unread' },
  diff: { type: 'string', describe: 'What changed since this checkpoint: inspect --diff OLD NEW' },
  fid: { type: 'string', describe: 'The rows of this fid: values and optimizer state' },
  table: { type: 'string', describe: 'This table alone' },
  top: { type: 'string', default: '10', describe: 'Rows in the lists of rows: those used last, those of largest norm' },
  json: { type: 'boolean', default: false, describe: 'One JSON object' },
} as const satisfies { readonly [flag: string]: Options };

export function inspectOptionsOf(args: CommandArguments, write: (text: string) => void): InspectOptions {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    path: String(args.path),
    verify: args.verify === true,
    json: args.json === true,
    brief: args.brief === true,
    top: text(args.top) ?? '10',
    diff: text(args.diff),
    fid: text(args.fid),
    table: text(args.table),
    write,
  };
}
