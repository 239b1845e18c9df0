import { type OptionEntry, optionOfFlag, optionTable } from './option-table.js';

/** One option as `yargs.options()` takes it. Numbers are texts there: the configuration parses them and names what is wrong. */
export type YargsOption = {
  readonly type: 'string' | 'boolean';
  readonly array: boolean;
  readonly describe: string;
  readonly group: string;
  readonly defaultDescription: string;
  readonly requiresArg: boolean;
  /** Shown by `--help --all` only. */
  readonly hidden: boolean;
};

/** Settings of yargs' parser under which flags with dots stay whole and no second spelling is made. */
export const yargsParserConfiguration = {
  'dot-notation': false,
  'camel-case-expansion': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'duplicate-arguments-array': true,
  'strip-aliased': true,
} as const;

/**
 * Arguments as yargs must get them: it takes a lone `-` (standard input) for no value, so one behind `--data` becomes `--data=-`.
 *
 * @param line arguments behind the program's name; what follows `--` is left as it is.
 */
export function argumentsForYargs(line: readonly string[]): string[] {
  const end = line.includes('--') ? line.indexOf('--') : line.length;
  const result: string[] = [];
  let flag: string | null = null;
  for (const argument of line.slice(0, end)) {
    if (argument.startsWith('--')) {
      const name = argument.slice(2).split('=')[0];
      flag = optionOfFlag(name)?.option.kind === 'list' ? `--${name}` : null;
    }
    if (argument !== '-' || flag === null) {
      result.push(argument);
      continue;
    }
    if (result[result.length - 1] === flag) result.pop();
    result.push(`${flag}=-`);
  }
  return [...result, ...line.slice(end)];
}

function defaultText(entry: OptionEntry): string {
  const value = entry.option.defaultValue;
  if (value === undefined) return 'of the rule';
  if (entry.nullableSection !== null) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Flags of a section that people set often enough to read of them in the short help; the others of its kind are details. */
const everydayOfSections: ReadonlySet<string> = new Set([
  'data.split.by',
  'data.split.fraction',
  'early-stop.patience',
  'optimizer.sparse.kind',
  'optimizer.sparse.learning-rate',
  'optimizer.dense.kind',
  'optimizer.dense.learning-rate',
  'embedding.dim',
]);

/** Whether a flag stands in the short help: all that have a short name, and those above. */
function isEverydayFlag(flag: string): boolean {
  return !flag.includes('.') || everydayOfSections.has(flag);
}

/**
 * Options for `yargs.options()`, keyed by flag. They carry no yargs default, so that a flag counts as given only when it was.
 *
 * @param inHelp which flags the short help shows; the others are taken all the same.
 */
export function yargsOptions(inHelp: (flag: string) => boolean = isEverydayFlag): Record<string, YargsOption> {
  return Object.fromEntries(
    optionTable.flatMap((entry): [string, YargsOption][] => {
      const isBoolean = entry.option.kind === 'boolean';
      const choices = entry.option.kind === 'choice' ? ` [${entry.option.expected.replace('one of ', '')}]` : '';
      const own: YargsOption = {
        type: isBoolean ? 'boolean' : 'string',
        array: entry.option.kind === 'list',
        describe: entry.option.text + choices,
        group: `${entry.group}:`,
        defaultDescription: defaultText(entry),
        requiresArg: !isBoolean,
        hidden: !inHelp(entry.flag),
      };
      const other = (describe: string, more: Partial<YargsOption>): YargsOption => ({ ...own, ...more, describe, hidden: true });
      return [
        [entry.flag, own],
        ...entry.option.aliases.map((alias): [string, YargsOption] => [alias, other(`The same as --${entry.flag}`, {})]),
        ...Object.entries(entry.option.switches).map(([flag, value]): [string, YargsOption] => [
          flag,
          other(`The same as --${entry.flag} ${value}`, { type: 'boolean', requiresArg: false }),
        ]),
      ];
    }),
  );
}
