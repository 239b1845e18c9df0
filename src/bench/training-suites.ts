import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cliProgram, plainEnvironment, runChild } from './child.js';
import { makeClicks } from './made-data.js';
import { quantile } from './result.js';
import type { SuiteRun } from './suite-run.js';
import { criteoBinFlags, hostsPlans, scalingPlans, type TrainingPlan, trainingPlans } from './training-plan.js';
import { type RunOutcome, runTraining, type TrainingData } from './training-run.js';

const EVALUATION_RECORDS = 131_072;

/** One thing that takes its turn in every round. */
export type Contender = { readonly name: string; run(round: number): Promise<RunOutcome> };

/** What a contender gave over all rounds. */
export type Turns = { readonly rates: readonly number[]; readonly last: RunOutcome | null; readonly problem: string | null };

/**
 * Lets contenders take turns: A B C A B C. One that fails is left out of later rounds; its problem is kept.
 * Machines grow slower and faster by the hour: only runs side by side compare.
 */
export async function takeTurns(
  contenders: readonly Contender[],
  rounds: number,
  talk: (text: string) => void,
): Promise<Map<string, Turns>> {
  const turns = new Map<string, { rates: number[]; last: RunOutcome | null; problem: string | null }>();
  for (const { name } of contenders) turns.set(name, { rates: [], last: null, problem: null });
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      const turn = turns.get(contender.name);
      if (turn === undefined || turn.problem !== null) continue;
      const outcome = await contender.run(round);
      talk(
        `   round ${round + 1}: ${contender.name}: ${outcome.problem ?? `${Math.round(outcome.samplesPerSecond ?? 0).toLocaleString('en-US')} samples/s`}\n`,
      );
      if (outcome.problem !== null || outcome.samplesPerSecond === null) {
        turn.problem = outcome.problem ?? 'no figure';
        continue;
      }
      turn.rates.push(outcome.samplesPerSecond);
      // AUC may come in one round only: later ones keep it.
      turn.last = { ...outcome, auc: outcome.auc ?? turn.last?.auc ?? null, logloss: outcome.logloss ?? turn.last?.logloss ?? null };
    }
  }
  return turns;
}

/** Notes what a run of ours gave, against the peak of the cores it ran on. */
export function addOurs(run: SuiteRun, plan: TrainingPlan, turn: Turns): void {
  const { megaflopPerSample, precision, workers } = plan;
  const threads = workers === 1 ? '1 thread' : workers === availableParallelism() ? 'all cores' : null;
  run.add({
    name: plan.name,
    unit: 'samples/s',
    better: 'higher',
    values: turn.rates,
    ...(megaflopPerSample === null || threads === null
      ? {}
      : { limit: { name: `${precision === 'bf16' ? 'bf16' : 'FMA'} peak, ${threads}`, times: 1000 / megaflopPerSample } }),
    info:
      turn.problem === null
        ? { auc: turn.last?.auc ?? null, logloss: turn.last?.logloss ?? null, ...turn.last?.info }
        : { failed: turn.problem },
  });
}

/** Made-up data of so many records, kept between runs; or what --data names. */
async function trainingData(run: SuiteRun, format: 'bin' | 'tsv'): Promise<TrainingData> {
  const { data, evalData, samples, dataDir } = run.options;
  if (format === 'bin' && data !== null && evalData !== null) return { train: data, eval: evalData, samples };
  const folder = dataDir ?? join(tmpdir(), 'monolith-local-bench-data');
  const evaluation = Math.min(EVALUATION_RECORDS, Math.max(1000, Math.floor(samples / 8)));
  const train = join(folder, `made-${samples}.${format}`);
  const evalFile = join(folder, `made-${evaluation}-eval.${format}`);
  run.talk(`   data: ${train}, ${evalFile}\n`);
  await makeClicks(train, format, samples, 1);
  await makeClicks(evalFile, format, evaluation, 2);
  return { train, eval: evalFile, samples };
}

const wanted = (run: SuiteRun, name: string): boolean => run.options.only === null || name.includes(run.options.only);

async function contendersOf<P extends TrainingPlan & { readonly ps?: number }>(run: SuiteRun, plans: readonly P[]): Promise<Contender[]> {
  const data = new Map<TrainingPlan['data'], TrainingData>();
  for (const plan of plans) if (!data.has(plan.data)) data.set(plan.data, await trainingData(run, plan.data));
  return plans.map((plan) => ({
    name: plan.name,
    run: () => runTraining(plan, data.get(plan.data) as TrainingData, join(run.scratch, 'model')),
  }));
}

/** `bench train`: every training plan, in turns. */
export async function runTrainingSuite(run: SuiteRun): Promise<boolean> {
  const plans = trainingPlans(availableParallelism()).filter((plan) => wanted(run, plan.name));
  const turns = await takeTurns(await contendersOf(run, plans), run.options.rounds, run.talk);
  for (const plan of plans) addOurs(run, plan, turns.get(plan.name) as Turns);
  return [...turns.values()].every(({ problem }) => problem === null);
}

/** `bench scaling`: DLRM over workers and shards; then the ratios to one worker with as many shards. */
export async function runScaling(run: SuiteRun): Promise<boolean> {
  const plans = scalingPlans(availableParallelism());
  const turns = await takeTurns(await contendersOf(run, plans), run.options.rounds, run.talk);
  for (const plan of plans) addOurs(run, plan, turns.get(plan.name) as Turns);
  for (const plan of plans) {
    const base = plans.find((other) => other.ps === plan.ps && other.workers === 1);
    if (plan.workers === 1 || base === undefined) continue;
    run.add(ratioOf(`W=${plan.workers} / W=1 at P=${plan.ps}`, turns.get(plan.name) as Turns, turns.get(base.name) as Turns));
  }
  return [...turns.values()].every(({ problem }) => problem === null);
}

/** `bench hosts`: DLRM with its shard in another process beside the same in one; then the ratio. */
export async function runHosts(run: SuiteRun): Promise<boolean> {
  const plans = hostsPlans();
  const turns = await takeTurns(await contendersOf(run, plans), run.options.rounds, run.talk);
  for (const plan of plans) addOurs(run, plan, turns.get(plan.name) as Turns);
  const [one, two] = plans.map(({ name }) => turns.get(name) as Turns);
  run.add(ratioOf('two processes / one', two, one));
  return [...turns.values()].every(({ problem }) => problem === null);
}

/** Ratio of two contenders: pair by pair as samples, the ratio of the medians beside it. */
export function ratioOf(
  name: string,
  above: Turns,
  below: Turns,
): { name: string; unit: string; better: 'higher'; values: number[]; info: Record<string, number | null> } {
  const pairs = Math.min(above.rates.length, below.rates.length);
  const median = (values: readonly number[]): number => quantile(Float64Array.from(values).sort(), 0.5);
  const ofMedians = median(above.rates) / median(below.rates);
  return {
    name,
    unit: '×',
    better: 'higher',
    values: above.rates.slice(0, pairs).map((rate, i) => rate / below.rates[i]),
    info: { 'ratio of medians': Number.isFinite(ofMedians) ? ofMedians : null },
  };
}

const STARTUP_RECORDS = 8192;

/** `bench startup`: seconds from starting the program to the end of the first step, DLRM on a small file. */
export async function runStartup(run: SuiteRun): Promise<boolean> {
  const path = join(run.scratch, 'startup.bin');
  await makeClicks(path, 'bin', STARTUP_RECORDS, 1);
  const [toReady, toStep]: [number[], number[]] = [[], []];
  let ok = true;
  for (let round = 0; round < 2 * run.options.rounds; round++) {
    const from = performance.now();
    let ready = Number.NaN;
    let step = Number.NaN;
    const args = [
      'train',
      '--data',
      path,
      ...criteoBinFlags,
      '--model',
      'dlrm',
      '--batch-size',
      '128',
      '--max-steps',
      '1',
      '--shuffle',
      '0',
    ];
    const { code } = await runChild(
      process.execPath,
      [cliProgram, ...args, '--model-dir', join(run.scratch, `start-${round}`), '--fresh', '--json'],
      {
        env: plainEnvironment(),
        onLine: (line) => {
          if (line.startsWith('{"event":"start"')) ready = (performance.now() - from) / 1000;
          if (Number.isNaN(step) && /^\{"event":"(progress|checkpoint|done)"/.test(line)) step = (performance.now() - from) / 1000;
        },
      },
    );
    if (code !== 0 || Number.isNaN(step)) ok = false;
    else {
      toReady.push(ready);
      toStep.push(step);
    }
  }
  run.add({ name: 'command line to ready', unit: 's', better: 'lower', values: toReady });
  run.add({ name: 'command line to first step', unit: 's', better: 'lower', values: toStep });
  return ok;
}
