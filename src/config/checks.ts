import { type Add, checkDistributed, checkLeast } from './distributed-checks.js';
import { optionAtPath } from './option-table.js';
import { optimizerNumbers } from './options.js';
import type { Problem } from './problems.js';
import type { TrainingConfig } from './training-config.js';

/** Problems that no option has alone: combinations without meaning, and numbers that would silently not be used. */
export function checkTogether(config: TrainingConfig, origins: ReadonlyMap<string, string>): Problem[] {
  const problems: Problem[] = [];
  /** A problem at the option that was given; its message starts with the option's name in the source that gave it. */
  const add = (path: string, message: string): void => {
    const source = origins.get(path) ?? 'default';
    const entry = optionAtPath(path);
    const isOwnName = source.startsWith('--') || source === entry?.env;
    const start = isOwnName ? source : source === 'default' ? path : `${source}: ${path}`;
    // Some messages begin with the flag themselves.
    const isWhole = message.startsWith('--') && (source.startsWith('--') || source === 'default');
    problems.push({ message: isWhole ? message : `${start}: ${message}`, path, source });
  };
  checkDistributed(config, origins, add);
  if (!config.distributed.enabled) checkLeast(config, add);
  checkSplit(config, add);
  checkStream(config, add);
  checkOptimizers(config, add);
  const { schedule, earlyStop } = config;
  if (schedule.kind !== 'constant' && schedule.decaySteps < 1) {
    add('schedule.kind', `${schedule.kind} needs schedule.decaySteps ≥ 1, got ${schedule.decaySteps}`);
  }
  const initializer = config.embedding.initializer;
  if (initializer?.kind === 'uniform' && initializer.low > initializer.high) {
    add('embedding.initializer', `low must not exceed high, got low ${initializer.low} and high ${initializer.high}`);
  }
  if (earlyStop.patience > 0 && config.data.eval.length === 0 && config.data.split.by === 'none' && config.data.train.length > 0) {
    add('earlyStop.patience', `needs evaluation data, got none; give data.eval (--eval-data) or data.split`);
  }
  if (config.keepBest !== 'none' && config.data.eval.length === 0 && config.data.split.by === 'none' && config.data.train.length > 0) {
    add('keepBest', 'needs evaluation data, got none; give data.eval (--eval-data) or data.split');
  }
  const [firstStep, lastStep] = (config.profileSteps ?? '1..1').split('..').map(Number);
  if (firstStep < 1 || firstStep > lastStep) {
    add('profileSteps', `expected first..last with 1 ≤ first ≤ last, got ${config.profileSteps}`);
  }
  if (config.mode === 'async' && config.clip.globalNorm > 0 && config.workers > 1 && config.ps > 1) {
    add('clip.globalNorm', 'in async mode shards take pushes in orders of their own, so there is no one norm; use --ps 1 or --mode sync');
  }
  return problems;
}

const STREAM = /^(tail:|tcp:\/\/|kafka:\/\/)/;

function checkStream(config: TrainingConfig, add: Add): void {
  const { stream, data, distributed } = config;
  const source = data.train.find((name) => STREAM.test(name));
  if (!stream.enabled) {
    if (source !== undefined) add('data.train', `${source} is a stream; say --stream to train on it`);
    return;
  }
  if (data.train.length > 0 && source === undefined && !data.train.includes('-')) {
    add('stream.enabled', 'needs a source in data.train (--data): tail:PATH, tcp://HOST:PORT, - or kafka://BROKER:PORT/TOPIC?group=GROUP');
  }
  if (distributed.enabled || distributed.localHosts > 0) add('stream.enabled', 'a stream is trained on one host; leave --distributed out');
  if (data.split.by !== 'none') add('data.split.by', 'a stream is trained whole; name evaluation data of their own (data.eval)');
  if (!['earliest', 'latest', 'committed'].includes(stream.start) && !/^\d{4}-\d\d-\d\d/.test(stream.start)) {
    add('stream.start', `expected earliest, latest, committed or a time such as 2026-11-29T08:00:00Z, got ${stream.start}`);
  } else if (/^\d/.test(stream.start) && Number.isNaN(Date.parse(stream.start))) {
    add('stream.start', `${stream.start} is no time`);
  }
  if (stream.windowSeconds === 0) {
    if (stream.eventTime !== null) add('stream.eventTime', 'has no effect without windows; set stream.windowSeconds');
    if (stream.latenessSeconds > 0) add('stream.latenessSeconds', 'has no effect without windows; set stream.windowSeconds');
  }
}

function checkSplit(config: TrainingConfig, add: Add): void {
  const { split, eval: evalFiles } = config.data;
  if (split.by === 'none') {
    for (const name of ['fraction', 'column', 'evalValues', 'rows'] as const) {
      const value = split[name];
      const given = Array.isArray(value) ? value.length > 0 : value !== null && value !== 0;
      if (given)
        add(
          `data.split.${name}`,
          `has no effect while data.split.by is none; set data.split.by to ${name === 'evalValues' ? 'column' : name}`,
        );
    }
    return;
  }
  if (evalFiles.length > 0) add('data.split.by', `${split.by} and data.eval exclude each other; keep one of them`);
  if (split.by === 'fraction' && !(split.fraction > 0 && split.fraction < 1)) {
    add('data.split.fraction', `expected a number > 0 and < 1, got ${split.fraction}`);
  }
  if (split.by === 'column' && (split.column === null || split.evalValues.length === 0)) {
    add('data.split.by', 'column needs data.split.column and at least one of data.split.evalValues');
  }
  if (split.by === 'rows') {
    const [first, last] = (split.rows ?? '').split('-').map(Number);
    if (split.rows === null) add('data.split.by', 'rows needs data.split.rows, such as 9001-10000');
    else if (first < 1 || first > last) add('data.split.rows', `expected first-last with 1 ≤ first ≤ last, got ${split.rows}`);
  }
}

function checkOptimizers(config: TrainingConfig, add: Add): void {
  for (const name of ['sparse', 'linear', 'dense'] as const) {
    const rule = config.optimizer[name];
    if (rule === null) continue;
    const known: readonly string[] = ['kind', 'learningRate', 'weightDecay', ...optimizerNumbers[rule.kind]];
    for (const key of Object.keys(rule)) {
      if (!known.includes(key)) add(`optimizer.${name}.${key}`, `${rule.kind} has no ${key}; it takes ${known.slice(1).join(', ')}`);
    }
    // Rates at which a mean never forgets make the step size meaningless.
    for (const key of ['beta1', 'beta2'] as const) {
      if (rule[key] === 1) add(`optimizer.${name}.${key}`, 'expected a number ≥ 0 and < 1, got 1');
    }
  }
}
