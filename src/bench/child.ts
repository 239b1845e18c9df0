import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MonolithError } from '../base/index.js';

/** How a program ended. `seconds` is wall time from its start to its end. */
export type ChildResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string; readonly seconds: number };

/** What is kept of standard output or standard error. */
const MOST_TEXT = 16 * 2 ** 20;

/** The command line of this package. */
export const cliProgram = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/**
 * Runs a program to its end. A program that cannot be started gives code null and the reason as standard error. SIGINT and SIGTERM that
 * reach this process end the program too.
 *
 * @throws Aborted when such a signal came
 * @param onLine called with each line of standard output as it comes.
 */
export function runChild(
  program: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly onLine?: (line: string) => void } = {},
): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    let stdout = '';
    let stderr = '';
    let rest = '';
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const stop = (): void => {
      child.kill('SIGTERM');
      reject(new MonolithError('Aborted', `stopped by a signal while ${program} was running`));
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    const end = (code: number | null, problem = ''): void => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      if (rest !== '') options.onLine?.(rest);
      resolve({ code, stdout, stderr: stderr + problem, seconds: (performance.now() - from) / 1000 });
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MOST_TEXT) stdout += text;
      if (options.onLine === undefined) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MOST_TEXT) stderr += text;
    });
    child.once('error', (error) => {
      end(null, error.message);
    });
    child.once('close', (code) => {
      end(code);
    });
  });
}

/** The environment without options of a run, so that every run is what its command line says. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('MONOLITH_LOCAL_') || name === 'MONOLITH_LOCAL_ISA' || name === 'MONOLITH_LOCAL_NO_ADDON',
    ),
  );
}
