/** Where a hook writes its lines: standard error, unless told otherwise. Lines come without a line feed. */
export type WriteLine = (line: string) => void;

export function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
