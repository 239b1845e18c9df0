import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from '../child.js';
import { parseMeasurement, quantile } from '../result.js';
import type { SuiteRun } from '../suite-run.js';
import { type TrainingGroup, type TrainingPlan, trainingGroups, trainingPlans } from '../training-plan.js';
import { type RunOutcome, runTraining } from '../training-run.js';
import { addOurs, type Contender, ratioOf, type Turns, takeTurns } from '../training-suites.js';
import { type PeerContender, type PeerPlace, tensorflowContenders, torchContenders, vwContenders, xlearnContenders } from './contenders.js';
import { makePeerData, type PeerData, type PeerFormat } from './data.js';
import { type Found, findGenerator, findPython, findVw, findXlearn } from './programs.js';

const parserBench = fileURLToPath(new URL('../../../bench/data/parsers.bench.js', import.meta.url));

/**
 * `bench peers`: ours and every peer that is there on the same samples, in turns; then for each kind of model the ratio of the best settings
 * and the difference of their AUCs; last, how fast Vowpal Wabbit and our parser read the same samples.
 */
export async function runPeers(run: SuiteRun): Promise<boolean> {
  const { options } = run;
  const folder = options.dataDir ?? join(tmpdir(), 'monolith-local-bench-data');
  const generator = await findGenerator(options.peersDir, folder);
  if (generator.absent !== null) {
    run.talk(`   no data: ${generator.absent}\n`);
    return false;
  }
  const files: { data: PeerData | null } = { data: null };
  const place: PeerPlace = {
    folder: options.peersDir,
    scratch: run.scratch,
    cores: availableParallelism(),
    data: () => files.data as PeerData,
  };
  const vw = await findVw(options.vw);
  const peers = (await peersThere(run, place, vw)).filter(({ name, group }) => wanted(run, name, group));
  const plans = trainingPlans(availableParallelism()).filter((plan) => wanted(run, plan.name, plan.group));
  const present = peers.filter(({ absent }) => absent === null);
  const reads = wanted(run, READING, READING);
  const formats = new Set<PeerFormat>([
    ...present.map(({ format }) => format),
    ...plans.map((plan) => plan.data),
    ...(reads ? (['vw', 'tsv'] as const) : []),
  ]);
  files.data = await makePeerData(generator.path, folder, options.preset, options.samples, formats, run.talk);
  const turns = await takeTurns(
    ofOneGroupTogether(
      plans.map((plan) => ours(plan, run, place)),
      present,
    ),
    options.rounds,
    run.talk,
  );
  for (const plan of plans) addOurs(run, plan, turns.get(plan.name) as Turns);
  for (const { name, absent } of peers) addPeer(run, name, absent ?? turns.get(name)?.problem ?? null, turns.get(name));
  const namesOf = (side: readonly { readonly name: string; readonly group: TrainingGroup }[], group: TrainingGroup): string[] =>
    side.filter((one) => one.group === group).map(({ name }) => name);
  for (const [title, mine, theirs] of ratios) {
    const b = bestOf(namesOf(present, theirs), turns);
    const theirAuc = b === null ? null : (turns.get(b)?.last?.auc ?? null);
    // Speed without learning does not count: the fastest of ours that learns as well, if there is one.
    const settings = namesOf(plans, mine);
    const a = bestOf(settings, turns, theirAuc === null ? null : theirAuc - MOST_AUC_LOSS) ?? bestOf(settings, turns);
    if (a !== null && b !== null) addRatio(run, title, a, b, turns);
  }
  if (reads) await addReading(run, vw, files.data);
  return plans.every((plan) => turns.get(plan.name)?.problem === null);
}

const READING = 'reading';

/** By how much AUC may fall behind a peer's. */
const MOST_AUC_LOSS = 0.002;

/** What is compared: title, kind of ours, kind of theirs. bf16 stands against their fp32 as well. */
const ratios: readonly (readonly [title: string, mine: TrainingGroup, theirs: TrainingGroup])[] = [
  ...trainingGroups.map((group) => [group, group, group] as const),
  ['dlrm bf16 against fp32', 'dlrm bf16', 'dlrm fp32'],
  ['deepfm bf16 against fp32', 'deepfm bf16', 'deepfm fp32'],
];

/** Whether --only asks for a setting: by a part of its name, or by a kind of model or the name of a ratio, which take both sides. */
function wanted(run: SuiteRun, name: string, group: string): boolean {
  const { only } = run.options;
  if (only === null) return true;
  const asked = [[READING, READING, READING], ...ratios].find(([title]) => only === title || only.startsWith(`${title}:`));
  return asked === undefined ? name.includes(only) : asked.slice(1).includes(group);
}

async function peersThere(run: SuiteRun, place: PeerPlace, vw: Found): Promise<PeerContender[]> {
  const { peersDir, python, xlearn } = run.options;
  const inFolder = (file: string): string | null => (peersDir === null ? null : join(peersDir, file));
  const torch = await findPython(python, 'torch', inFolder('torch_ctr.py'));
  const tensorflow = await findPython(python, 'tensorflow', inFolder('tf_ctr.py'));
  return [
    ...torchContenders(place, torch),
    ...tensorflowContenders(place, tensorflow),
    ...vwContenders(place, vw),
    ...xlearnContenders(place, await findXlearn(xlearn)),
  ];
}

function ours(plan: TrainingPlan, run: SuiteRun, place: PeerPlace): Contender & { readonly group: TrainingGroup } {
  return {
    name: plan.name,
    group: plan.group,
    run: (): Promise<RunOutcome> => {
      const data = place.data();
      const files = { train: data.train(plan.data), eval: data.test(plan.data), samples: data.samples };
      const modelDir = join(run.scratch, 'model');
      return runTraining(plan, files, modelDir);
    },
  };
}

/** Order of a round: what is compared stands side by side, ours and theirs alternating. */
export function ofOneGroupTogether<C extends Contender & { readonly group: TrainingGroup }>(mine: readonly C[], theirs: readonly C[]): C[];
export function ofOneGroupTogether(
  mine: readonly (Contender & { readonly group: TrainingGroup })[],
  theirs: readonly (Contender & { readonly group: TrainingGroup })[],
): Contender[] {
  return trainingGroups.flatMap((group) => {
    const [a, b] = [mine, theirs].map((side) => side.filter((one) => one.group === group));
    return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [...a.slice(i, i + 1), ...b.slice(i, i + 1)]).flat();
  });
}

function addPeer(run: SuiteRun, name: string, problem: string | null, turn: Turns | undefined): void {
  run.add({
    name,
    unit: 'samples/s',
    better: 'higher',
    values: problem === null ? (turn?.rates ?? []) : [],
    info: problem === null ? { auc: turn?.last?.auc ?? null, logloss: turn?.last?.logloss ?? null } : { absent: problem },
  });
}

function medianOf({ rates }: Turns): number {
  return quantile(Float64Array.from(rates).sort(), 0.5);
}

/** The setting with the highest median among those that ran, and that reached `leastAuc` where one is given. */
export function bestOf(names: readonly string[], turns: ReadonlyMap<string, Turns>, leastAuc: number | null = null): string | null {
  let best: { name: string; median: number } | null = null;
  for (const name of names) {
    const turn = turns.get(name);
    if (turn === undefined || turn.problem !== null || turn.rates.length === 0) continue;
    if (leastAuc !== null && (turn.last?.auc ?? 0) < leastAuc) continue;
    const median = medianOf(turn);
    if (best === null || median > best.median) best = { name, median };
  }
  return best?.name ?? null;
}

function addRatio(run: SuiteRun, title: string, mine: string, theirs: string, turns: ReadonlyMap<string, Turns>): void {
  const [a, b] = [turns.get(mine) as Turns, turns.get(theirs) as Turns];
  const [aucA, aucB] = [a.last?.auc ?? null, b.last?.auc ?? null];
  const ratio = ratioOf(`${title}: ours / best peer`, a, b);
  const info = {
    ...ratio.info,
    ...{ setting: mine, 'samples/s': medianOf(a), auc: aucA },
    ...{ against: theirs, 'its samples/s': medianOf(b), 'its auc': aucB },
    'auc difference': aucA === null || aucB === null ? null : aucA - aucB,
    'learns as well': aucA === null || aucB === null ? null : aucA >= aucB - MOST_AUC_LOSS ? 'yes' : 'no',
  };
  run.add({ ...ratio, info });
}

/** How fast the same samples are read: `vw --noop`, which parses and learns nothing, and our parser of Criteo text on one core. */
async function addReading(run: SuiteRun, vw: Found, data: PeerData): Promise<void> {
  const [theirs, mine]: [number[], number[]] = [[], []];
  for (let round = 0; round < run.options.rounds; round++) {
    if (vw.absent === null) {
      const { code, seconds } = await runChild(vw.path, ['--noop', '--quiet', '-d', data.train('vw')]);
      if (code === 0) theirs.push(data.samples / seconds);
    }
    await runChild(
      process.execPath,
      [parserBench, '--json', '--only', 'criteo native', '--seconds', String(run.options.seconds), '--file', data.train('tsv')],
      {
        onLine: (line) => {
          const measurement = parseMeasurement(line);
          if (measurement?.name === 'criteo native') mine.push(1e6 * quantile(Float64Array.from(measurement.values).sort(), 0.5));
        },
      },
    );
  }
  const turn = (rates: readonly number[]): Turns => ({ rates, last: null, problem: null });
  const info = vw.absent === null ? {} : { info: { absent: vw.absent } };
  run.add({ name: `${READING}: Vowpal Wabbit, its text`, unit: 'samples/s', better: 'higher', values: theirs, ...info });
  run.add({ name: `${READING}: ours, Criteo text, one core`, unit: 'samples/s', better: 'higher', values: mine });
  if (theirs.length > 0 && mine.length > 0) run.add(ratioOf(`${READING}: ours / Vowpal Wabbit`, turn(mine), turn(theirs)));
}
