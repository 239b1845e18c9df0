import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../base/index.js';
import { describeAddon } from '../../kernels/index.js';
import type { Output } from '../output.js';

/** One thing that was looked at. `fix` says what to do where it is not well. */
export type Finding = { readonly what: string; readonly ok: boolean; readonly found: string; readonly fix: string | null };

const LEAST_FREE_DISK_BYTES = 1e9;
const LEAST_OPEN_FILES = 1024;

/** Looks at everything that a run needs from the machine. */
export async function examine(folder: string): Promise<Finding[]> {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const nodeOk = major > 20 || (major === 20 && minor >= 11);
  const { info, reason } = describeAddon();
  const compiler = [process.env.CXX, 'c++', 'g++', 'clang++'].find(
    (name) => name !== undefined && name !== '' && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  const disk = await statfs(folder).catch(() => null);
  const freeDisk = disk === null ? null : disk.bavail * disk.bsize;
  const files = openFileLimit();
  const huge = hugePages();
  return [
    { what: 'monolith-local', ok: true, found: packageVersion(), fix: null },
    { what: 'Node.js', ok: nodeOk, found: process.versions.node, fix: nodeOk ? null : 'install Node.js 20.11 or newer' },
    {
      what: 'native addon',
      ok: info !== null,
      found: info === null ? `not used: ${reason}` : `loaded, ${info.instructionSet} (has ${info.available.join(', ')})`,
      fix:
        info === null ? 'install a C++ compiler and run `monolith-local doctor --build`; until then the slow reference kernels run' : null,
    },
    {
      what: 'C++ compiler',
      ok: compiler !== undefined || info !== null,
      found: compiler ?? 'none',
      fix: compiler === undefined && info === null ? 'install g++ or clang++' : null,
    },
    { what: 'cores', ok: true, found: String(availableParallelism()), fix: null },
    { what: 'memory', ok: true, found: `${gib(freemem())} of ${gib(totalmem())} free`, fix: null },
    {
      what: 'huge pages',
      ok: huge === null || !huge.includes('[never]'),
      found: huge ?? 'unknown on this system',
      fix:
        huge?.includes('[never]') === true
          ? 'set /sys/kernel/mm/transparent_hugepage/enabled to madvise: lookups become up to twice as fast'
          : null,
    },
    {
      what: 'open files',
      ok: files === null || files >= LEAST_OPEN_FILES,
      found: files === null ? 'unknown' : String(files),
      fix: files !== null && files < LEAST_OPEN_FILES ? `raise the limit: ulimit -n ${LEAST_OPEN_FILES}` : null,
    },
    {
      what: `disk (${folder})`,
      ok: freeDisk === null || freeDisk >= LEAST_FREE_DISK_BYTES,
      found: freeDisk === null ? 'unknown' : `${gib(freeDisk)} free`,
      fix: freeDisk !== null && freeDisk < LEAST_FREE_DISK_BYTES ? 'free some space: a checkpoint that does not fit is refused' : null,
    },
  ];
}

/** Builds the native addon in the installed package; the compiler's own messages go to standard error. Says whether there is one now. */
export function buildAddon(output: Output): boolean {
  const script = fileURLToPath(new URL('../../../../native/build.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script, '--strict'], { stdio: ['ignore', process.stderr.fd, process.stderr.fd] });
  if (status === 0) output.talk('native addon built\n');
  return status === 0;
}

/** Findings as lines for people. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(
      ({ what, ok, found, fix }) =>
        `${ok ? 'ok  ' : 'look'}  ${what.padEnd(width)}  ${found}${fix === null ? '' : `\n      ${' '.repeat(width)}  → ${fix}`}\n`,
    )
    .join('');
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function openFileLimit(): number | null {
  const limits = '/proc/self/limits';
  if (!existsSync(limits)) return null;
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync(limits, 'utf8'));
  return match === null ? null : Number(match[1]);
}

function hugePages(): string | null {
  const file = '/sys/kernel/mm/transparent_hugepage/enabled';
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}
