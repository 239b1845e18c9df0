import { MonolithError, suggest } from '../base/index.js';
import { inspectFlags } from './commands/inspect-flags.js';
import type { CommandArguments } from './flags.js';

/** The commands, in the order of the help. */
export const commandNames = [
  'train',
  'worker',
  'ps',
  'eval',
  'predict',
  'inspect',
  'rows',
  'data',
  'describe',
  'config',
  'doctor',
  'demo',
  'tf-runner',
  'bench',
] as const;

/** What yargs complains of, in the words of this program. `line` is the command line without the program. */
export function usageError(line: readonly string[], complaint: string): MonolithError {
  const withoutValue = /^Not enough arguments following: (.+)$/.exec(complaint);
  if (withoutValue !== null) return wrongUsage(`--${withoutValue[1]}: needs a value`);
  const unknown = /^Unknown commands?: ([^,]+)/.exec(complaint);
  if (unknown !== null) {
    const word = unknown[1];
    const command = line.find((argument) => (commandNames as readonly string[]).includes(argument));
    if (command !== undefined)
      return wrongUsage(`${command}: unexpected argument "${word}"; 'monolith-local ${command} --help' shows what it takes`);
    const meant = suggest(word, commandNames);
    return wrongUsage(`unknown command "${word}"${meant === null ? '' : `; did you mean ${meant}?`} Commands: ${commandNames.join(', ')}`);
  }
  if (complaint.startsWith('Not enough non-option arguments') && line[0] === 'rows') {
    return wrongUsage('rows export: name a run folder or a checkpoint-<step>.json');
  }
  if (complaint.startsWith('Not enough non-option arguments') && line[0] === 'data') {
    return wrongUsage(`data ${line[1] ?? ''}: name the files; 'monolith-local data --help' shows what it takes`);
  }
  if (complaint.startsWith('Not enough non-option arguments') && line.includes('inspect')) {
    // A flag that is not known takes the word behind it: that is the mistake to name.
    const flags = line.filter((argument) => argument.startsWith('--')).map((argument) => argument.slice(2).split('=')[0]);
    refuseUnknownFlags(Object.fromEntries(flags.map((flag) => [flag, true])), Object.keys(inspectFlags));
    return wrongUsage('inspect: name a run folder or a checkpoint-<step>.json');
  }
  return wrongUsage(complaint);
}

/** Refuses flags that a command without options of a run does not have. @throws InvalidConfig with a suggestion */
export function refuseUnknownFlags(args: CommandArguments, known: readonly string[]): void {
  for (const flag of Object.keys(args)) {
    if (flag === '_' || flag === '$0' || flag === 'help' || flag === 'version' || flag === 'path' || known.includes(flag)) continue;
    const meant = suggest(flag, known);
    const hint =
      meant === null ? (known.length === 0 ? '' : `; it has ${known.map((name) => `--${name}`).join(', ')}`) : `; did you mean --${meant}?`;
    throw wrongUsage(`--${flag}: unknown flag of this command${hint}`);
  }
}

function wrongUsage(message: string): MonolithError {
  return new MonolithError('InvalidConfig', message);
}
