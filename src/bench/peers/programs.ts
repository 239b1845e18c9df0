import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runChild } from '../child.js';

/** Where a peer's program is, or why it is not there. Nothing is guessed: a program counts when it ran once. */
export type Found =
  | { readonly path: string; readonly version: string; readonly absent: null }
  | { readonly path: null; readonly absent: string };

/** Asks a program for its version. */
async function ask(path: string, args: readonly string[], accepts: (text: string) => string | null): Promise<Found> {
  const { code, stdout, stderr } = await runChild(path, args, { env: peerEnvironment() });
  const version = accepts(`${stdout}\n${stderr}`);
  if (version !== null) return { path, version, absent: null };
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  return { path: null, absent: reason === '' ? `${path} ended with ${code}` : reason };
}

/** Python with a module; the script must lie in the peers' folder. */
export async function findPython(python: string | null, module: 'torch' | 'tensorflow', script: string | null): Promise<Found> {
  if (script === null || !existsSync(script)) return { path: null, absent: `no ${script ?? 'peers folder'}` };
  const code = `import ${module}; print("version", ${module}.__version__)`;
  return ask(python ?? 'python3', ['-c', code], (text) => /^version (.+)$/m.exec(text)?.[1] ?? null);
}

/** Vowpal Wabbit. */
export function findVw(path: string | null): Promise<Found> {
  return ask(path ?? 'vw', ['--version'], (text) => /^\d+\.\d+(\.\d+)*/.exec(text.trim())?.[0] ?? null);
}

/** xLearn's trainer, which prints its usage when it is called without arguments. */
export function findXlearn(path: string | null): Promise<Found> {
  return ask(path ?? 'xlearn_train', [], (text) => (/xlearn/i.test(text) ? (/-- ([\d.]+) Version/.exec(text)?.[1] ?? 'xLearn') : null));
}

/** The generator of the peers' folder: the program `gen`, or gen_criteo_like.c compiled to `cache`. */
export async function findGenerator(folder: string | null, cache: string): Promise<Found> {
  if (folder === null) return { path: null, absent: 'no --peers-dir' };
  const ready = join(folder, 'gen');
  if (existsSync(ready)) return { path: ready, version: 'gen', absent: null };
  const source = join(folder, 'gen_criteo_like.c');
  if (!existsSync(source)) return { path: null, absent: `neither gen nor gen_criteo_like.c in ${folder}` };
  const program = join(cache, 'gen');
  await mkdir(dirname(program), { recursive: true });
  const { code, stderr } = await runChild(process.env.CC || 'cc', ['-O2', '-ffp-contract=off', '-o', program, source, '-lm']);
  if (code !== 0) return { path: null, absent: `gen_criteo_like.c did not compile: ${stderr.trim().split('\n').at(-1) ?? ''}` };
  return { path: program, version: 'gen', absent: null };
}

/** The environment of peers: huge pages for PyTorch, and a user name, without which xLearn crashes. */
export function peerEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, THP_MEM_ALLOC_ENABLE: '1', TF_CPP_MIN_LOG_LEVEL: '3', USER: process.env.USER ?? 'bench' };
}
