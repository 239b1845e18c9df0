import { dirname } from 'node:path';
import type { MonolithError } from '../base/index.js';
import { suggest } from '../base/index.js';
import { checkTogether } from './checks.js';
import { unknownFlagText } from './foreign-flags.js';
import { launcherSettings } from './launcher.js';
import { NullableSection } from './option.js';
import {
  defaultOf,
  environmentPrefix,
  kebabOfPath,
  membersOf,
  type OptionEntry,
  type OptionNode,
  optionAtPath,
  optionOfEnv,
  optionOfFlag,
  optionRoot,
  optionTable,
  otherFlagsOf,
} from './option-table.js';
import { parseOptionText, splitList } from './parse-text.js';
import { hdfsPathIn, resolvePaths } from './paths.js';
import { invalidConfig, type Problem, problemsOfMapping, showValue, suggestionText } from './problems.js';
import { readStructuredFile } from './sources.js';
import type { PartialTrainingConfig, TrainingConfig } from './training-config.js';

/** Where a configuration comes from, lowest precedence first. */
export type ConfigSources = {
  /** Path of a YAML or JSON file. Relative paths in it are relative to its folder. */
  readonly file?: string | undefined;
  /** Options given by a program, in the shape of a file. Relative paths are relative to the process's folder. */
  readonly values?: PartialTrainingConfig | undefined;
  /**
   * Environment variables; of those that do not begin with MONOLITH_LOCAL_ only the ones of launchers are looked at, and only by a process of
   * a run on several hosts: see distributed.launcher.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Flags without dashes: texts, lists of texts (given several times), true and false. undefined counts as not given. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
};

/** A complete configuration, and for each option where its value comes from. */
export type ResolvedConfig = {
  readonly config: TrainingConfig;
  /** Option path → `default`, the file's path, `options`, the variable's or the flag's name. */
  readonly origins: ReadonlyMap<string, string>;
  /** Folder that relative paths of the file were resolved against; '.' without a file. */
  readonly folder: string;
};

/** Label of {@link ConfigSources.values} in origins and messages. */
const VALUES_LABEL = 'options';

/** Variables of the package that are no options: tests and forced instruction sets. */
const otherVariables: ReadonlySet<string> = new Set(
  ['ISA', 'NO_ADDON', 'SHARED_DATA', 'FAILPOINTS'].map((name) => environmentPrefix + name),
);

type Place = {
  readonly source: string /** start of messages */;
  readonly place: string /** what a message calls the option */;
  readonly name: string;
};

/** Reads layer over layer; later ones win. Collects problems and never stops at the first. */
class Layers {
  readonly problems: Problem[] = [];
  readonly values = new Map<string, { readonly value: unknown; readonly origin: string }>();

  /** A mapping in the shape of a file. */
  addMapping(mapping: unknown, source: string, folder: string): void {
    if (mapping === null || mapping === undefined) return;
    this.addSection(optionRoot, mapping, [], source, folder);
  }

  addEnvironment(env: Readonly<Record<string, string | undefined>>): void {
    for (const [name, text] of Object.entries(env)) {
      if (!name.startsWith(environmentPrefix) || text === undefined || otherVariables.has(name)) continue;
      const entry = optionOfEnv(name);
      if (entry !== undefined) {
        this.addText(entry, text, { source: name, place: '', name });
        continue;
      }
      // Other programs may use the prefix, so only a variable that looks like an option of ours is refused.
      const bare = (text: string): string => text.slice(environmentPrefix.length);
      const near = suggest(
        bare(name),
        optionTable.map((known) => bare(known.env)),
      );
      if (near === null) continue;
      this.problem(`${name}: unknown option; did you mean ${environmentPrefix}${near}?`, name, name);
    }
  }

  addFlags(flags: Readonly<Record<string, unknown>>): void {
    const given = new Map<OptionEntry, string>();
    for (const [flag, value] of Object.entries(flags)) {
      if (value === undefined) continue;
      const entry = optionOfFlag(flag);
      if (entry === undefined) {
        this.problem(unknownFlagText(flag), flag, `--${flag}`);
        continue;
      }
      const { option } = entry;
      const other = otherFlagsOf(entry).find((name) => name === kebabOfPath(flag));
      const name = `--${other ?? entry.flag}`;
      const before = given.get(entry);
      if (before !== undefined) {
        this.problem(`${name}: means the same as ${before}; give one of them`, entry.path, name);
        continue;
      }
      given.set(entry, name);
      const at = { source: name, place: '', name };
      const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string');
      if (other !== undefined && Object.hasOwn(option.switches, other)) this.addSwitch(entry, value, option.switches[other], at);
      else if (typeof value === 'string') this.addText(entry, value, at);
      else if (isTexts && option.kind === 'list') {
        const items = value.flatMap((item) => splitList(item));
        this.accept(entry, items, at, '.');
      } else if (isTexts) this.problem(`${name}: given ${value.length} times; give it once`, entry.path, name);
      else this.accept(entry, value, at, '.');
    }
  }

  /** A flag that stands for a value; set to false it says nothing. */
  private addSwitch(entry: OptionEntry, value: unknown, meaning: string, at: Place): void {
    if (value === true || value === 'true') this.addText(entry, meaning, at);
    else if (value !== false && value !== 'false')
      this.problem(`${at.name}: expected true or false, got ${showValue(value)}`, entry.path, at.source);
  }

  /** What a launcher of processes says of this one, below everything that was given. */
  addLauncher(env: Readonly<Record<string, string | undefined>>): void {
    const settings = launcherSettings((path) => this.values.get(path)?.value, env);
    for (const { path, value, origin } of settings) if (!this.values.has(path)) this.values.set(path, { value, origin });
  }

  private problem(message: string, path: string, source: string): void {
    this.problems.push({ message, path, source });
  }

  private addSection(node: OptionNode, value: unknown, keys: readonly string[], source: string, folder: string): void {
    const path = keys.join('.');
    const members = membersOf(node);
    const place = `${source}: `;
    if (members === null) {
      const entry = optionAtPath(path);
      if (entry !== undefined) this.accept(entry, value, { source, place, name: path }, folder);
      return;
    }
    if (value === null) {
      if (node instanceof NullableSection) this.clear(path);
      return;
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
      const what = path === '' ? 'expected a mapping of options' : `${path}: expected a mapping with ${Object.keys(members).join(', ')}`;
      this.problem(`${place}${what}, got ${showValue(value)}`, path, source);
      return;
    }
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue;
      if (Object.hasOwn(members, key)) this.addSection(members[key], member, [...keys, key], source, folder);
      else this.problem(`${place}${unknownKeyText(keys, key, Object.keys(members))}`, [...keys, key].join('.'), source);
    }
  }

  private addText(entry: OptionEntry, text: string, at: Place): void {
    try {
      this.accept(entry, parseOptionText(entry, text, at.source), at, '.');
    } catch (error) {
      this.problemOf(error, entry.path, at.source);
    }
  }

  /** An InvalidConfig of a file or inline text inside another, as problems of this configuration. */
  private problemOf(error: unknown, path: string, source: string): void {
    const { code, message } = error as MonolithError;
    if (code !== 'InvalidConfig') throw error;
    this.problem(message, path, source);
  }

  private accept(entry: OptionEntry, given: unknown, at: Place, folder: string): void {
    const { option, path } = entry;
    let value = option.kind === 'list' && typeof given === 'string' ? splitList(given) : given;
    if (option.path !== null) value = resolvePaths(value, option.path, folder);
    const hdfs = option.path === null ? null : hdfsPathIn(value);
    if (hdfs !== null) {
      const advice = 'copy the files here, or mount HDFS (its NFS gateway, or FUSE) and give the path below the mount';
      this.problem(`${at.place}${at.name}: ${hdfs} lies in HDFS, which can't be read or written directly; ${advice}`, path, at.source);
      return;
    }
    let object = at;
    if (option.path === 'schema' && typeof value === 'string') {
      const file = value;
      try {
        value = readStructuredFile(file);
      } catch (error) {
        this.problemOf(error, path, at.source);
        return;
      }
      if (value === null || typeof value !== 'object' || Array.isArray(value)) {
        this.problem(`${file}: expected a mapping, got ${showValue(value)}`, path, at.source);
        return;
      }
      object = { source: file, place: `${file}: `, name: '' };
    }
    const unavailable = typeof value === 'string' && Object.hasOwn(option.unavailable, value) ? option.unavailable[value] : undefined;
    if (unavailable !== undefined) {
      this.problem(`${at.place}${at.name}: ${unavailable}`, path, at.source);
      return;
    }
    const parsed = option.schema.safeParse(value);
    if (parsed.success) {
      this.values.set(path, { value: parsed.data, origin: at.source });
    } else if (option.kind === 'object' && value !== null && typeof value === 'object' && !Array.isArray(value)) {
      this.problems.push(...problemsOfMapping(option.schema, value, parsed.error.issues, { ...object, base: object.name, path }));
    } else {
      this.problem(`${at.place}${at.name}: expected ${option.expected}, got ${gotText(entry, value)}`, path, at.source);
    }
  }

  /** A section given as null: what lower layers said of it no longer holds. */
  private clear(section: string): void {
    for (const entry of optionTable) if (entry.nullableSection === section) this.values.delete(entry.path);
  }
}

function gotText(entry: OptionEntry, value: unknown): string {
  if (entry.option.kind === 'list' && Array.isArray(value)) {
    const wrong = value.findIndex((item) => typeof item !== 'string' || item === '');
    const hint = typeof value[wrong] === 'number' || typeof value[wrong] === 'boolean' ? '; put it in quotes' : '';
    return `a list whose item ${wrong + 1} is ${showValue(value[wrong])}${hint}`;
  }
  const isScalar = typeof value === 'number' || typeof value === 'boolean';
  return `${showValue(value)}${entry.option.kind === 'text' && isScalar ? '; put it in quotes' : ''}`;
}

/** `unknown option optimizer.sparse.lerningRate; did you mean learningRate?` */
function unknownKeyText(keys: readonly string[], key: string, siblings: readonly string[]): string {
  const path = [...keys, key].join('.');
  const dotted = optionAtPath(path);
  if (dotted !== undefined) {
    const nested = dotted.keys.reduceRight((inner, part) => (inner === '' ? `${part}: …` : `${part}: {${inner}}`), '');
    return `unknown option ${JSON.stringify(key)}; write it in sections: ${nested}`;
  }
  const near = suggest(key, siblings);
  if (near !== null) return `unknown option ${path}${suggestionText(near, [])}`;
  // Right word, wrong section: look at the last keys and the flags of all options.
  const elsewhere = new Map<string, string>();
  for (const entry of optionTable) {
    for (const name of [entry.keys[entry.keys.length - 1] as string, entry.flag]) {
      if (!elsewhere.has(name) && (entry.nullableSection === null || name === entry.flag)) elsewhere.set(name, entry.path);
    }
  }
  const name = suggest(key, elsewhere.keys());
  return `unknown option ${path}${suggestionText(name === null ? null : (elsewhere.get(name) ?? null), siblings)}`;
}

/** All values put together in the shape of {@link TrainingConfig}, defaults where nothing was given. */
function assemble(layers: Layers): { readonly config: TrainingConfig; readonly origins: Map<string, string> } {
  const origins = new Map<string, string>();
  const config: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const entry of optionTable) if (entry.nullableSection !== null && layers.values.has(entry.path)) given.add(entry.nullableSection);
  for (const entry of optionTable) {
    const set = layers.values.get(entry.path);
    origins.set(entry.path, set?.origin ?? 'default');
    let target = config;
    let prefix = '';
    for (const key of entry.keys.slice(0, -1)) {
      prefix = prefix === '' ? key : `${prefix}.${key}`;
      if (entry.nullableSection === prefix && !given.has(prefix)) target[key] = null;
      else target[key] ??= {};
      if (target[key] === null) break;
      target = target[key] as Record<string, unknown>;
    }
    if (entry.nullableSection !== null && !given.has(entry.nullableSection)) continue;
    const value = set === undefined ? defaultOf(entry) : set.value;
    if (value !== undefined) target[entry.keys[entry.keys.length - 1] as string] = value;
  }
  const complete = config as unknown as TrainingConfig;
  return { config: withChief(withInheritedLinear(complete, origins)), origins };
}

/** Worker 0 is the chief, however it was named. */
function withChief(config: TrainingConfig): TrainingConfig {
  const { distributed } = config;
  const isChief = distributed.enabled && distributed.role === 'worker' && distributed.index === 0;
  return isChief ? { ...config, distributed: { ...distributed, role: 'chief' } } : config;
}

/** `optimizer.linear` takes what it does not say from `optimizer.sparse`, as long as its rule is the same. */
function withInheritedLinear(config: TrainingConfig, origins: Map<string, string>): TrainingConfig {
  const { sparse, linear } = config.optimizer;
  if (linear === null) return config;
  const kindGiven = origins.get('optimizer.linear.kind') !== 'default';
  if (kindGiven && linear.kind !== sparse.kind) return config;
  const inherited = { ...sparse, ...linear, kind: sparse.kind };
  for (const key of Object.keys(inherited)) {
    const path = `optimizer.linear.${key}`;
    if (origins.get(path) === 'default') origins.set(path, 'optimizer.sparse');
  }
  return { ...config, optimizer: { ...config.optimizer, linear: inherited } };
}

/**
 * The configuration of a run: defaults < file < values < environment < flags, checked as a whole. Reads the file and a schema file that it
 * names, nothing else.
 *
 * @throws InvalidConfig: one line a problem, each with file, flag or variable, path, expected and actual; nothing is half applied.
 */
export function resolveConfig(sources: ConfigSources = {}): ResolvedConfig {
  const layers = new Layers();
  const folder = sources.file === undefined ? '.' : dirname(sources.file);
  if (sources.file !== undefined) layers.addMapping(readStructuredFile(sources.file), sources.file, folder);
  if (sources.values !== undefined) layers.addMapping(sources.values, VALUES_LABEL, '.');
  layers.addEnvironment(sources.env ?? {});
  layers.addFlags(sources.flags ?? {});
  if (layers.problems.length > 0) throw invalidConfig(layers.problems);
  layers.addLauncher(sources.env ?? {});
  const { config, origins } = assemble(layers);
  const problems = checkTogether(config, origins);
  if (problems.length > 0) throw invalidConfig(problems);
  return { config, origins, folder };
}
