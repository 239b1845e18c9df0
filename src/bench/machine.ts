import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describeAddon } from '../kernels/index.js';

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Sizes of the caches of core 0, as Linux tells them: {"L1 Data": "32K", …}. */
function caches(): Record<string, string> {
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  if (!existsSync(folder)) return {};
  const entries = readdirSync(folder).filter((name) => name.startsWith('index'));
  return Object.fromEntries(
    entries.map((name) => {
      const [level, type, size] = ['level', 'type', 'size'].map((file) => textOf(`${folder}/${name}/${file}`) ?? '?');
      return [`L${level} ${type}`, size];
    }),
  );
}

/** What the figures were measured on. Unknown things are null. */
export function machine(): Record<string, unknown> {
  const { info, reason } = describeAddon();
  return {
    cpu: cpus()[0]?.model ?? null,
    cores: availableParallelism(),
    caches: caches(),
    memory_bytes: totalmem(),
    free_bytes: freemem(),
    platform: `${process.platform} ${process.arch} ${release()}`,
    instruction_set: info?.instructionSet ?? 'javascript',
    bf16: info?.available.includes('avx512-bf16') ?? false,
    addon: info === null ? reason : 'loaded',
    governor: textOf('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    huge_pages: textOf('/sys/kernel/mm/transparent_hugepage/enabled'),
    load_average: loadavg()[0],
  };
}

/** Versions of what ran; `commit` of the checkout, null for an installed package. */
export function versions(packageVersion: string): Record<string, string | null> {
  return { package: packageVersion, node: process.versions.node, v8: process.versions.v8, commit: commit() };
}

function commit(): string | null {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  if (!existsSync(`${root}.git`)) return null;
  try {
    const git = (...words: string[]): string =>
      execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes'}`;
  } catch {
    return null;
  }
}
