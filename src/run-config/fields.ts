import { type DiscoveryType, discoveryTypes } from '../discovery/index.js';

/** One field of a RunConfig: its values, its default in each of the two records. */
export type Field<T> = {
  /** What is accepted, in the words of a message. */
  readonly expected: string;
  /** The value as it is kept; undefined when it is none of this field. */
  readonly read: (value: unknown) => T | undefined;
  /** Default of a RunConfig, which a user writes. */
  readonly defaultValue: T;
  /** Default of a RunnerConfig, which is run. */
  readonly runnerDefault: T;
};

function field<T>(expected: string, read: (value: unknown) => T | undefined, defaultValue: T, runnerDefault: T = defaultValue): Field<T> {
  return { expected, read, defaultValue, runnerDefault };
}

const asFlag = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const asText = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const asCount = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
const asPositive = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;

function orNull<T>(read: (value: unknown) => T | undefined): (value: unknown) => T | null | undefined {
  return (value) => (value === null ? null : read(value));
}

function asTexts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => asText(item) !== undefined) ? Object.freeze([...value]) : undefined;
}

function asDiscoveryType(value: unknown): DiscoveryType | undefined {
  const names = Object.keys(discoveryTypes) as DiscoveryType[];
  return names.find((name) => discoveryTypes[name] === value || (typeof value === 'string' && name.toLowerCase() === value.toLowerCase()));
}

const flag = (value: boolean, runner = value): Field<boolean> => field('true or false', asFlag, value, runner);
const count = (value: number, runner = value): Field<number> => field('a whole number ≥ 0', asCount, value, runner);
const text = (value: string): Field<string> => field('text that is not empty', asText, value);
const maybeText = (): Field<string | null> => field<string | null>('text that is not empty, or null', orNull(asText), null);

/** Fields that a user's RunConfig and the RunnerConfig share, in the order of Monolith's records. */
export const fields = {
  isLocal: flag(true),
  index: count(0),
  numPs: count(0),
  numWorkers: count(1),
  modelDir: text('./model'),
  restoreDir: maybeText(),
  restoreCkpt: maybeText(),
  restoreSyncTimeoutSecs: count(3600),
  restoreSyncPollIntervalMs: count(30_000),
  connectRetries: count(6),
  retryBackoffMs: count(500),
  barrierTimeoutMs: count(10_000),
  discoveryOperationTimeoutMs: count(5_000),
  discoveryCleanupTimeoutMs: count(200),
  logStepCountSteps: count(100),
  discoveryType: field<DiscoveryType>(`one of ${Object.keys(discoveryTypes).join(', ')}`, asDiscoveryType, 'Primus'),
  discoveryServiceTypePs: text('ps'),
  discoveryServiceTypeWorker: text('worker'),
  tfConfig: maybeText(),
  deepInsightName: text('monolith'),
  zkServer: text('127.0.0.1:2181'),
  tableName: text('emb'),
  dim: count(64),
  enableGpuTraining: flag(false),
  embeddingPrefetchCapacity: count(0, 1),
  enableEmbeddingPostpush: flag(false, true),
  enableParameterSync: flag(false),
  parameterSyncTargets: field<readonly string[]>('a list of texts', asTexts, []),
  parameterSyncIntervalMs: count(200),
  parameterSyncModelName: text('default'),
  parameterSyncSignatureName: text('serving_default'),
  tfGrpcWorkerCacheThreads: field<number | null>('a whole number ≥ 0, or null', orNull(asCount), null),
  monolithGrpcWorkerServiceHandlerMultiplier: field<number | null>('a number > 0, or null', orNull(asPositive), null),
};

/** Fields of the RunnerConfig alone. */
export const runnerOnlyFields = {
  enableRealtimeTraining: flag(false),
};

export const runnerFields = { ...fields, ...runnerOnlyFields };

type ValuesOf<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** The values of a user's RunConfig. */
export type RunConfigValues = ValuesOf<typeof fields>;

/** What a runner executes: a RunConfig merged into its base, and `enableRealtimeTraining`. Plain JSON. */
export type RunnerConfig = ValuesOf<typeof runnerFields>;

export type RunConfigField = keyof RunConfigValues;

/** `restoreSyncTimeoutSecs` → `restore_sync_timeout_secs`, the name in Monolith's records and in JSON. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
