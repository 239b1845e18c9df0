// Builds the native addon into native/out/monolith_local.node.
//
// Every *.isa.cc is compiled once per instruction set with ML_ISA set to its name; every other *.cc once, for the baseline.
// Objects are kept and rebuilt when a source, a header or the flags are newer. A machine without a C++ compiler is no error:
// one line says so and the TypeScript reference backend runs. `--strict` makes that an error, `--debug` adds sanitizers and symbols.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'out');
const strict = process.argv.includes('--strict');
const debug = process.argv.includes('--debug');

const avx512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma', '-mf16c', '-mbmi2', '-mprefer-vector-width=512'];

/** Files with a copy for avx512bf16 (see ML_ISA_TABLES_BF16); the others run their avx512 copy there. */
const bf16Files = /kernels[/\\]gemm\.isa\.cc$/;

/** Instruction sets per processor family; each is chosen at run time only where the processor has it. */
const isaFlags = {
  x64: {
    scalar: [],
    avx2: ['-mavx2', '-mfma', '-mf16c', '-mbmi2'],
    avx512,
    avx512bf16: [...avx512, '-mavx512bf16'],
  },
  arm64: { scalar: [], neon: ['-march=armv8-a+simd'] },
};

function giveUp(reason) {
  process.stderr.write(`native addon not built (${reason}); the TypeScript reference backend will be used. See 'monolith-local doctor'.\n`);
  process.exit(strict ? 1 : 0);
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'out' || entry.name === 'test' ? [] : sources(path);
    return /\.(cc|h)$/.test(entry.name) ? [path] : [];
  });
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    let text = '';
    child.stderr.on('data', (data) => {
      text += data;
    });
    child.on('error', (error) => resolve({ status: -1, text: error.message }));
    child.on('close', (status) => resolve({ status, text }));
  });
}

const compiler = [process.env.CXX, 'c++', 'g++', 'clang++'].find(
  (name) => name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);
if (compiler === undefined) giveUp('no C++ compiler found: install g++ or clang++, or set CXX');
if (process.platform === 'win32') giveUp('Windows is not supported yet');

let include;
try {
  include = createRequire(import.meta.url)('node-api-headers').include_dir;
} catch {
  giveUp('the package node-api-headers is not installed');
}

mkdirSync(out, { recursive: true });
const flags = [
  '-std=c++20',
  '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-Wall',
  '-Wextra',
  '-Wno-unused-parameter',
  '-DNODE_GYP_MODULE_NAME=monolith_local',
  '-DNAPI_VERSION=8',
  `-I${include}`,
  `-I${here}`,
  ...(debug ? ['-g', '-fsanitize=address,undefined'] : []),
];
const isas = isaFlags[process.arch] ?? { scalar: [] };
const all = sources(here);
const newestHeader = Math.max(
  ...all
    .filter((path) => path.endsWith('.h'))
    .concat(fileURLToPath(import.meta.url))
    .map((path) => statSync(path).mtimeMs),
);
const jobs = [];
const objects = [];
for (const source of all.filter((path) => path.endsWith('.cc'))) {
  const name = relative(here, source).replaceAll(/[/\\]/g, '-');
  const sets = Object.entries(isas).filter(([isa]) => isa !== 'avx512bf16' || bf16Files.test(source));
  const variants = source.endsWith('.isa.cc') ? sets : [['baseline', []]];
  for (const [isa, extra] of variants) {
    const object = join(out, `${name}.${isa}${debug ? '.debug' : ''}.o`);
    objects.push(object);
    if (existsSync(object) && statSync(object).mtimeMs > Math.max(newestHeader, statSync(source).mtimeMs)) continue;
    jobs.push(['-c', source, '-o', object, ...flags, ...extra, ...(source.endsWith('.isa.cc') ? [`-DML_ISA=${isa}`] : [])]);
  }
}

const addon = join(out, 'monolith_local.node');
const record = join(out, 'build.json');
const made = `${JSON.stringify({ compiler, isas: Object.keys(isas), debug, objects: objects.map((path) => relative(out, path)) })}\n`;
/** The addon stands and was linked from just these objects, none of them newer: a failed link or a switch of --debug links again. */
function isUpToDate() {
  if (jobs.length > 0 || !existsSync(addon) || !existsSync(record) || readFileSync(record, 'utf8') !== made) return false;
  return objects.every((path) => statSync(path).mtimeMs <= statSync(addon).mtimeMs);
}
if (isUpToDate()) process.exit(0);
const queue = [...jobs];
const failures = [];
await Promise.all(
  Array.from({ length: Math.max(1, Math.min(availableParallelism(), 8)) }, async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { status, text } = await run(compiler, job);
      if (text) process.stderr.write(text);
      if (status !== 0) failures.push(job[1]);
    }
  }),
);
if (failures.length > 0) giveUp(`${compiler} failed on ${failures.map((path) => relative(here, path)).join(', ')}`);

// Linked under a temporary name: a process that has the old file mapped keeps it.
const fresh = join(out, `monolith_local.${process.pid}.tmp`);
const shared = process.platform === 'darwin' ? ['-dynamiclib', '-undefined', 'dynamic_lookup'] : ['-shared'];
const linked = await run(compiler, [...shared, '-o', fresh, ...objects, ...(debug ? ['-fsanitize=address,undefined'] : ['-s'])]);
if (linked.status !== 0) {
  process.stderr.write(linked.text);
  rmSync(fresh, { force: true });
  giveUp(`${compiler} could not link`);
}
renameSync(fresh, addon);
writeFileSync(record, made);
