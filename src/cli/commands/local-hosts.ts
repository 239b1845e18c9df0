import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, MonolithError } from '../../base/index.js';
import { optionAtPath, type ResolvedConfig, type TrainingConfig } from '../../config/index.js';
import { type JoinOptions, joinJob, type TrainResult } from '../../estimator/index.js';

/** Discovery in a folder of one machine: a process that is gone is gone soon. */
const LOST_AFTER_MS = 3000;
/** On one machine nobody is away for long, unless told otherwise. */
const PEER_TIMEOUT_MS = 5000;
/** How long the other processes may take to end by themselves after the chief has. */
const END_MS = 5000;

/**
 * `train --local-hosts N`: a run on several hosts, tried out on this one. This process is the chief; workers and parameter servers are its
 * children, whose lines come out with their names before them.
 */
export async function trainOnLocalHosts(resolved: ResolvedConfig, options: JoinOptions): Promise<TrainResult | null> {
  const config = sized(resolved);
  const folder = await mkdtemp(join(tmpdir(), 'monolith-local-hosts-'));
  const children = new Children(options.log);
  try {
    const flags = childFlags(config, folder);
    for (let i = 0; i < config.ps; i++) children.start(`ps ${i}`, ['ps', ...flags, '--index', String(i)]);
    for (let i = 1; i < config.workers; i++) children.start(`worker ${i}`, ['worker', ...flags, '--index', String(i)]);
    const distributed = { ...config.distributed, enabled: true, role: 'chief' as const, localHosts: 0, stateFolder: null };
    const discovery = { ...config.discovery, kind: 'host-files' as const, folder, lostAfterMs: LOST_AFTER_MS };
    // A child that fails stops the chief, which would otherwise wait for it.
    const stop = AbortSignal.any([children.failed, ...(options.signal === undefined ? [] : [options.signal])]);
    const result = await joinJob({ ...resolved, config: { ...config, distributed, discovery } }, { ...options, signal: stop }).catch(
      (error: unknown) => {
        const { code } = MonolithError.from(error);
        throw code === 'Unavailable' || code === 'Cancelled' ? (children.failure ?? error) : error;
      },
    );
    if (children.failure !== null) throw children.failure;
    return result;
  } finally {
    await children.end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Numbers of workers and parameter servers that make up the processes asked for. @throws InvalidConfig */
function sized({ config, origins }: ResolvedConfig): TrainingConfig {
  const { localHosts } = config.distributed;
  const given = (path: string): boolean => (origins.get(path) ?? 'default') !== 'default';
  let { workers, ps } = config;
  if (!given('workers') && !given('ps')) ps = Math.floor(localHosts / 2);
  if (!given('workers')) workers = localHosts - ps;
  else if (!given('ps')) ps = localHosts - workers;
  if (workers < 1 || ps < 1 || workers + ps !== localHosts) {
    throw new MonolithError(
      'InvalidConfig',
      `--local-hosts ${localHosts}: ${workers} workers and ${ps} parameter servers are ${workers + ps} processes; leave one of --workers and --ps out, or give --local-hosts ${Math.max(2, workers + ps)}`,
    );
  }
  const peerTimeoutMs = given('distributed.peerTimeoutMs') ? config.distributed.peerTimeoutMs : PEER_TIMEOUT_MS;
  return { ...config, workers, ps, distributed: { ...config.distributed, peerTimeoutMs } };
}

/** The command line of a child behind its command: this one's, and where it is. */
function childFlags({ workers, ps, distributed }: TrainingConfig, folder: string): string[] {
  const [, , , ...own] = process.argv;
  const kept: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const flag =
      /^--(local-hosts|workers|num-workers-cluster|ps|num-ps|json|quiet|discovery|index|role|state-folder|bind|bind-addr|advertise|peer-timeout-ms)(=.*)?$/.exec(
        own[i],
      );
    if (flag === null) kept.push(own[i]);
    else if (flag[2] === undefined && flag[1] !== 'json' && flag[1] !== 'quiet') i++;
  }
  const where = ['--discovery', 'host-files', flagOf('discovery.folder'), folder, flagOf('discovery.lostAfterMs'), String(LOST_AFTER_MS)];
  const sizes = ['--workers', String(workers), '--ps', String(ps), '--local-hosts', '0'];
  return [...kept, ...sizes, '--peer-timeout-ms', String(distributed.peerTimeoutMs), ...where];
}

function flagOf(path: string): string {
  return `--${optionAtPath(path)?.flag ?? path}`;
}

/** Processes of this program under the names of their roles. */
class Children {
  /** What the first child that failed said last. */
  failure: MonolithError | null = null;
  private readonly running = new Map<ChildProcess, Promise<void>>();
  private readonly controller = new AbortController();
  private ending = false;

  constructor(private readonly log: (line: string) => void) {}

  /** Aborted when a child fails. */
  get failed(): AbortSignal {
    return this.controller.signal;
  }

  start(name: string, args: readonly string[]): void {
    // In a group of its own: a Ctrl-C goes to the chief alone, which stops the others.
    const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(new URL('../main.js', import.meta.url)), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, NO_COLOR: '1' },
    });
    let last = '';
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        last = line;
        this.log(`[${name}] ${line}`);
      });
    }
    const gone = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        this.fail(name, `Internal  can't be started: ${error.message}`);
        resolve();
      });
      child.once('close', (code, signal) => {
        this.running.delete(child);
        if (code !== 0 && !this.ending) this.fail(name, signal === null ? last : `WorkerDied  ended by ${signal}`);
        resolve();
      });
    });
    this.running.set(child, gone);
  }

  /** Waits until all have ended, and ends those that do not. */
  async end(): Promise<void> {
    this.ending = true;
    const timer = setTimeout(() => {
      for (const child of this.running.keys()) child.kill('SIGKILL');
    }, END_MS);
    await Promise.all(this.running.values());
    clearTimeout(timer);
  }

  /** @param said the child's last line, as every command of this program ends that fails: code, two blanks, message. */
  private fail(name: string, said: string): void {
    if (this.failure !== null) return;
    const match = /^([A-Z][A-Za-z]{2,40}) {2}(.*)$/.exec(said);
    const code = (match?.[1] ?? 'WorkerDied') as ErrorCode;
    this.failure = new MonolithError(code, `${name}: ${match?.[2] ?? said}`);
    this.controller.abort();
  }
}
