import { NullableSection, Option } from './option.js';
import { optionTree, sectionTitles } from './options.js';

/** One option with all its names. */
export type OptionEntry = {
  /** Dotted path in the configuration file: `optimizer.sparse.learningRate`. */
  readonly path: string;
  readonly keys: readonly string[];
  /** Without the two dashes: `optimizer.sparse.learning-rate`. */
  readonly flag: string;
  /** `MONOLITH_LOCAL_OPTIMIZER_SPARSE_LEARNING_RATE`. */
  readonly env: string;
  /** Heading in the help and the documentation. */
  readonly group: string;
  readonly option: Option<unknown, boolean>;
  /** Path of the section that is null unless one of its options is given; null for all others. */
  readonly nullableSection: string | null;
};

/** Start of the name of every environment variable of the package. */
export const environmentPrefix = 'MONOLITH_LOCAL_';

/** A node of the option tree: an option, a section, or a section that may be null. */
export type OptionNode = Option<unknown, boolean> | NullableSection<unknown> | { readonly [key: string]: OptionNode };

/** Members of a section by key; null for an option. */
export function membersOf(node: OptionNode): { readonly [key: string]: OptionNode } | null {
  if (node instanceof Option) return null;
  if (node instanceof NullableSection) return node.members as { readonly [key: string]: OptionNode };
  return node;
}

/** `batchSize` → `batch-size`, key by key of a dotted path. */
export function kebabOfPath(path: string): string {
  return path.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `batch-size` → `batchSize`, key by key of a dotted name. */
export function pathOfKebab(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function entriesOf(node: OptionNode, keys: readonly string[], nullableSection: string | null): OptionEntry[] {
  const members = membersOf(node);
  const path = keys.join('.');
  if (members === null) {
    const option = node as Option<unknown, boolean>;
    const flag = option.flag ?? kebabOfPath(path);
    const env = environmentPrefix + flag.replaceAll(/[.-]/g, '_').toUpperCase();
    const group = option.group ?? sectionTitles[keys[0] as string] ?? 'Other';
    return [{ path, keys, flag, env, group, option, nullableSection }];
  }
  const section = node instanceof NullableSection ? path : nullableSection;
  return Object.entries(members).flatMap(([key, member]) => entriesOf(member, [...keys, key], section));
}

/** The root of the tree with the types of single options left out. */
export const optionRoot = optionTree as unknown as { readonly [key: string]: OptionNode };

/** All options, in the order of the documentation. */
export const optionTable: readonly OptionEntry[] = entriesOf(optionRoot, [], null);

const byPath = new Map(optionTable.map((entry) => [entry.path, entry]));
const byFlag = new Map(
  optionTable.flatMap((entry) => [entry.flag, ...otherFlagsOf(entry)].map((flag): [string, OptionEntry] => [flag, entry])),
);
const byEnv = new Map(optionTable.map((entry) => [entry.env, entry]));

/** The option at a dotted path, if there is one. */
export function optionAtPath(path: string): OptionEntry | undefined {
  return byPath.get(path);
}

/** Flags of an option beside its own: aliases, and switches that stand for a value. */
export function otherFlagsOf({ option }: OptionEntry): string[] {
  return [...option.aliases, ...Object.keys(option.switches)];
}

/** The option of a flag or of one of its other names, given without dashes in kebab or in camel case. */
export function optionOfFlag(flag: string): OptionEntry | undefined {
  return byFlag.get(flag) ?? byFlag.get(kebabOfPath(flag));
}

/** The option of an environment variable. */
export function optionOfEnv(name: string): OptionEntry | undefined {
  return byEnv.get(name);
}

/** A fresh copy of an option's default. */
export function defaultOf(entry: OptionEntry): unknown {
  const value = entry.option.defaultValue;
  return value === undefined ? undefined : structuredClone(value);
}
