import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Output } from '../../src/cli/output.js';
import { runProgram } from '../../src/cli/program.js';

/** The program of the command line. */
export const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export type CliResult = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** A run of the command line as a process of its own. */
export type CliRun = { readonly child: ChildProcess; readonly done: Promise<CliResult>; text(): { stdout: string; stderr: string } };

/** Starts `monolith-local …`. Options of the calling environment do not reach it. */
export function startCli(
  args: readonly string[],
  options: { env?: Record<string, string>; input?: Uint8Array | string; keepInputOpen?: boolean; cwd?: string } = {},
): CliRun {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('MONOLITH_LOCAL_') || name === 'MONOLITH_LOCAL_ISA'),
  );
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...env, NODE_V8_COVERAGE: '', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  child.stdin?.on('error', () => {});
  child.stdin?.write(options.input ?? '');
  if (options.keepInputOpen !== true) child.stdin?.end();
  const done = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, done, text: () => ({ stdout, stderr }) };
}

/** Runs `monolith-local …` to its end. */
export function runCli(args: readonly string[], options: Parameters<typeof startCli>[1] = {}): Promise<CliResult> {
  return startCli(args, options).done;
}

/**
 * `monolith-local …` in this process: everything that {@link runCli} does but the start of a process and what belongs to one: signals, standard
 * input, lines of progress, the text of `--help`, and failpoints and other variables that are no options. For tests that are about what a command does.
 */
export async function callCli(args: readonly string[], options: { env?: Record<string, string> } = {}): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const output: Output = {
    result: (text) => {
      stdout += text;
    },
    pour: async (text) => {
      stdout += text;
    },
    talk: (text) => {
      stderr += text;
    },
    leaveAtEnd: () => {},
  };
  const code = await runProgram(args, output, options.env ?? {});
  return { code, signal: null, stdout, stderr };
}

/** The last line of standard output as JSON: the `done` event of a run with --json. */
export function lastEvent(result: CliResult): { readonly [key: string]: unknown } {
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  return JSON.parse(line) as { readonly [key: string]: unknown };
}

/** All lines of a `--json` run. */
export function events(result: CliResult): readonly { readonly [key: string]: unknown }[] {
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly [key: string]: unknown });
}

/** What of a checkpoint's manifest must be equal in equal runs: sections with checksums, trainer, data position. */
export function checkpointContent(manifestPath: string): { sections: unknown; trainer: unknown; data: unknown; metrics: unknown } {
  const { sections, trainer, data, metrics } = JSON.parse(readFileSync(manifestPath, 'utf8')) as Record<string, unknown>;
  return { sections, trainer, data, metrics };
}

/** A folder for one test file, removed by `remove`. */
export async function temporaryFolder(name: string): Promise<{ path: string; in(...parts: string[]): string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `monolith-local-${name}-`));
  return { path, in: (...parts) => join(path, ...parts), remove: () => rm(path, { recursive: true, force: true }) };
}
