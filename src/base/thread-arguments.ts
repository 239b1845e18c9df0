/**
 * Options for starting a thread from a file in a program that was given as text (`node --input-type=module -e …`): such a program's own
 * arguments would make Node refuse the file. Otherwise nothing, so that a thread inherits the arguments of its process.
 */
export function threadArguments(): { execArgv?: string[] } {
  return process.execArgv.some((argument) => argument.startsWith('--input-type')) ? { execArgv: [] } : {};
}
