import { fields, type RunConfigField, type RunConfigValues, type RunnerConfig, runnerFields, snakeCase } from './fields.js';
import { readFields, readJson } from './read.js';

/**
 * A RunnerConfig: the given fields over the defaults of a runner. Names in camelCase or snake_case.
 * @throws RunConfig for an unknown field or a value that is none of it.
 */
export function runnerConfig(given: Partial<RunnerConfig> | Readonly<Record<string, unknown>> = {}): RunnerConfig {
  const set = readFields('RunnerConfig', given, runnerFields);
  const values = Object.entries(runnerFields).map(([name, { runnerDefault }]) => [name, set.has(name) ? set.get(name) : runnerDefault]);
  return Object.freeze(Object.fromEntries(values)) as RunnerConfig;
}

/** A RunnerConfig from JSON text. @throws RunConfig */
export function runnerConfigFromJson(text: string): RunnerConfig {
  return runnerConfig(readJson('RunnerConfig', text) as Readonly<Record<string, unknown>>);
}

/**
 * What a user wants of a run: Monolith's RunConfig. It knows which fields were set, so that merging it never touches what the user left alone,
 * and a field can be set back to its default. Immutable.
 *
 * @throws RunConfig for an unknown field or a value that is none of it.
 */
export class RunConfig {
  readonly #set: ReadonlyMap<string, unknown>;
  /** All fields, those that were not set at their defaults. */
  readonly values: RunConfigValues;

  constructor(given: Partial<RunConfigValues> | Readonly<Record<string, unknown>> = {}) {
    const set = readFields('RunConfig', given, fields);
    this.#set = set;
    const values = Object.entries(fields).map(([name, { defaultValue }]) => [name, set.has(name) ? set.get(name) : defaultValue]);
    this.values = Object.freeze(Object.fromEntries(values)) as RunConfigValues;
  }

  /** From JSON text; fields in snake_case or camelCase. @throws RunConfig */
  static fromJson(text: string): RunConfig {
    return new RunConfig(readJson('RunConfig', text) as Readonly<Record<string, unknown>>);
  }

  /** Whether the user set this field, be it to its default. */
  isSet(field: RunConfigField): boolean {
    return this.#set.has(field);
  }

  /** This configuration with further fields set. @throws RunConfig */
  with(given: Partial<RunConfigValues>): RunConfig {
    return new RunConfig({ ...Object.fromEntries(this.#set), ...given });
  }

  /** The fields that were set, by their names in snake_case, as plain JSON. */
  userOverrides(): Record<string, unknown> {
    return Object.fromEntries([...this.#set].map(([name, value]) => [snakeCase(name), Array.isArray(value) ? [...value] : value]));
  }

  /**
   * Merged into a base: a field of the base changes only where the user set it. Then, as Monolith has it:
   * - discovery through Consul becomes Zk;
   * - without GPU training the prefetch capacity is at least 1 and post-push is on, unless the user set them;
   * - parameter sync turns on realtime training too.
   *
   * @param base what the launcher or the command line says; the defaults of a runner when left out.
   * @throws RunConfig for a base that is no RunnerConfig.
   */
  toRunnerConfig(base: Partial<RunnerConfig> | Readonly<Record<string, unknown>> = {}): RunnerConfig {
    const merged: { -readonly [K in keyof RunnerConfig]: RunnerConfig[K] } = { ...runnerConfig(base), ...Object.fromEntries(this.#set) };
    if (this.isSet('discoveryType') && merged.discoveryType === 'Consul') merged.discoveryType = 'Zk';
    if (!merged.enableGpuTraining) {
      if (!this.isSet('embeddingPrefetchCapacity')) merged.embeddingPrefetchCapacity = Math.max(1, merged.embeddingPrefetchCapacity);
      if (!this.isSet('enableEmbeddingPostpush')) merged.enableEmbeddingPostpush = true;
    }
    if (this.values.enableParameterSync) merged.enableRealtimeTraining = true;
    return Object.freeze(merged);
  }
}
