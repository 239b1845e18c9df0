import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { callCli } from './cli.js';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** One process of a job. */
export type JobProcess = {
  readonly name: string;
  readonly child: ChildProcess;
  /** Everything it wrote to standard error so far. */
  stderr(): string;
  stdout(): string;
  /** Its lines of standard error, each with the moment (performance.now) at which it was read. */
  readonly lines: readonly { readonly ms: number; readonly text: string }[];
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals | null>;
};

export type JobOptions = {
  readonly folder: string;
  readonly config: string;
  readonly workers: number;
  readonly ps: number;
  readonly flags?: readonly string[];
  /** Command words before the program, such as ip netns exec. */
  readonly prefix?: (role: string, index: number) => readonly string[];
  /** More flags of one process. */
  readonly own?: (role: string, index: number) => readonly string[];
  /** Instead of a folder in which processes find each other. */
  readonly discovery?: readonly string[];
};

/** Starts and ends the processes of a job on this machine. */
export class Job {
  readonly processes: JobProcess[] = [];

  constructor(private readonly options: JobOptions) {
    mkdirSync(join(options.folder, 'discovery'), { recursive: true });
  }

  get modelDir(): string {
    return join(this.options.folder, 'model');
  }

  start(role: 'chief' | 'worker' | 'ps', index = 0, more: readonly string[] = []): JobProcess {
    const { folder, config, workers, ps, flags = [], prefix = () => [], own = () => [] } = this.options;
    const discovery = this.options.discovery ?? ['--discovery', 'host-files', '--discovery-folder', join(folder, 'discovery')];
    // A busy machine must not turn a job that is done into one that could not take its announcement back.
    const patience = ['--discovery-cleanup-timeout-ms', '5000'];
    const where = role === 'chief' ? ['--model-dir', this.modelDir] : ['--index', String(index)];
    const command = role === 'chief' ? ['train', config, '--distributed', '--role', 'chief'] : [role, config];
    const sizes = ['--workers', String(workers), '--ps', String(ps)];
    const line = [
      process.execPath,
      program,
      ...command,
      ...where,
      ...sizes,
      ...discovery,
      ...patience,
      ...flags,
      ...own(role, index),
      ...more,
    ];
    const [file, ...args] = [...prefix(role, index), ...line];
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    let stdout = '';
    const lines: { ms: number; text: string }[] = [];
    createInterface({ input: child.stderr }).on('line', (text) => lines.push({ ms: performance.now(), text }));
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    child.stdout.on('data', (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    const exit = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
    const started = { name: role === 'chief' ? role : `${role} ${index}`, child, stderr: () => stderr, stdout: () => stdout, lines, exit };
    this.processes.push(started);
    return started;
  }

  /** Parameter servers, workers, then the chief, which is returned. */
  startAll(): JobProcess {
    for (let i = 0; i < this.options.ps; i++) this.start('ps', i);
    for (let i = 1; i < this.options.workers; i++) this.start('worker', i);
    return this.start('chief');
  }

  find(name: string): JobProcess {
    const found = this.processes.findLast((one) => one.name === name);
    assert.ok(found, name);
    return found;
  }

  /** Waits until all that run have ended. @returns name → exit code. What they said is in the error when they do not end in time. */
  async ended(timeoutMs: number): Promise<Map<string, number | NodeJS.Signals | null>> {
    const codes = new Map<string, number | NodeJS.Signals | null>();
    const all = Promise.all(this.processes.map(async ({ name, exit }) => codes.set(name, await exit)));
    const late = sleep(timeoutMs, 'late', { ref: false });
    if ((await Promise.race([all, late])) === 'late') assert.fail(`not ended within ${timeoutMs} ms\n${this.said()}`);
    return codes;
  }

  said(): string {
    return this.processes.map((one) => `== ${one.name}\n${one.stderr()}${one.stdout()}`).join('\n');
  }

  /** Waits until a checkpoint of at least this step is there. */
  async checkpoint(step: number, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (newestStep(this.modelDir) < step) {
      const over = this.processes.some(({ child, name }) => name === 'chief' && child.exitCode !== null);
      assert.ok(performance.now() < deadline && !over, `no checkpoint ${step}\n${this.said()}`);
      await sleep(10);
    }
  }

  /** Kills a process of this name that runs and starts it again. The moment between is what the system takes. */
  async restart(role: 'worker' | 'ps', index: number): Promise<void> {
    const { child, exit } = this.find(`${role} ${index}`);
    child.kill('SIGKILL');
    assert.equal(await exit, 'SIGKILL', this.said());
    this.start(role, index);
  }

  /** Ends what is left. For `finally`. */
  async kill(): Promise<void> {
    for (const { child } of this.processes) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await Promise.all(this.processes.map(({ exit }) => exit));
  }
}

/** Step of the newest checkpoint of a run folder; −1 without one. */
export function newestStep(modelDir: string): number {
  if (!existsSync(modelDir)) return -1;
  const steps = readdirSync(modelDir).flatMap((name) => /^checkpoint-(\d+)\.json$/.exec(name)?.[1] ?? []);
  return Math.max(-1, ...steps.map(Number));
}

/** Name → hash of every section of the newest checkpoint: parameters, optimizer state and rows of a run, bit for bit. */
export function sectionsOf(modelDir: string): Record<string, string> {
  const folder = join(modelDir, `checkpoint-${newestStep(modelDir)}`);
  const hashes = readdirSync(folder)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]);
  assert.ok(hashes.length >= 3, `${folder} has ${hashes.length} sections`);
  return Object.fromEntries(hashes) as Record<string, string>;
}

/** Trains with threads of one process and gives the sections. */
export async function trainedLocally(folder: string, config: string, flags: readonly string[]): Promise<Record<string, string>> {
  const modelDir = join(folder, 'local');
  rmSync(modelDir, { recursive: true, force: true });
  const { code, stderr } = await callCli(['train', config, '--quiet', '--model-dir', modelDir, ...flags]);
  assert.equal(code, 0, stderr);
  return sectionsOf(modelDir);
}
