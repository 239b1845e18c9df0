// A training configuration for what a profile shows.
import { resolve } from 'node:path';
import { MonolithError } from '../../base/index.js';
import type { RecordInput } from '../input.js';
import type { ColumnProfile } from './profile.js';

const labelNames = [
  'label',
  'click',
  'clicked',
  'is_click',
  'clk',
  'target',
  'y',
  'converted',
  'conversion',
  'purchase',
  'income',
  'rating',
];
const ID_NAME = /(^|[_\W])(id|ids|code|zip|hash|key|user|item|type|class|category|cat)$|Id$|ID$/;
const TIME_NAME = /(^|[_\W])(time|date|timestamp|ts|datetime|day)$|timestamp|_time|_at$/i;
/** Text that nearly every record has another value of says nothing of other records. */
const UNIQUE_SHARE = 0.95;
/** Whole numbers beyond this are names or hashes. */
const LARGEST_QUANTITY = 2 ** 31;
const positiveTexts = new Set(['1', 'true', 'yes', 'y', 't', 'click', 'clicked', 'positive']);

/** Formats that training reads without a schema. */
const ownSchema = new Set(['criteo', 'criteo-bin', 'libsvm', 'libffm']);

/** The column that is most likely the label; null where none has such a name. */
export function guessLabel(profiles: readonly ColumnProfile[]): string | null {
  for (const name of labelNames) {
    const found = profiles.find((profile) => profile.name.toLowerCase() === name && !profile.isList);
    if (found !== undefined) return found.name;
  }
  return null;
}

/**
 * A configuration for `train` as YAML: the files, how they are read, a label and a feature for each column that can be one. Columns left out
 * stand in comments with the reason.
 *
 * @throws InvalidConfig where no label is told or found.
 */
export function suggestConfig(
  input: RecordInput,
  profiles: readonly ColumnProfile[],
  labelName: string | null,
  listSeparator: string | null,
): string {
  const lines = [
    '# Made by `monolith-local data inspect --schema` from what the columns hold. Read it before you train: which column is the label, and',
    '# whether one gives the label away.',
    'model: deepfm',
    'data:',
    `  train: [${input.files.map((path) => quoted(resolve(path))).join(', ')}]`,
    `  format: ${input.format.name}`,
  ];
  if (ownSchema.has(input.format.name)) return `${lines.join('\n')}\n`;
  for (const [option, value] of Object.entries(input.trainingOptions))
    lines.push(`  ${option}: ${typeof value === 'string' ? quoted(value) : value}`);
  const chosen = labelName ?? guessLabel(profiles);
  const label = profiles.find(({ name }) => name === chosen);
  if (chosen === null || label === undefined || label.isList) {
    throw new MonolithError(
      'InvalidConfig',
      `--schema: ${chosen === null ? 'no column is called like a label' : `"${chosen}" is no column with one value a record`}; name it with --label: ${profiles
        .map(({ name }) => name)
        .slice(0, 20)
        .join(', ')}`,
    );
  }
  lines.push('  schema:');
  if (input.trainingOptions.header === false) lines.push(`    columns: [${profiles.map(({ name }) => quoted(name)).join(', ')}]`);
  lines.push(`    label: ${labelText(label)}`, '    features:');
  for (const profile of profiles) if (profile !== label) lines.push(`      ${featureText(profile, listSeparator)}`);
  return `${lines.join('\n')}\n`;
}

function labelText(label: ColumnProfile): string {
  const column = `column: ${quoted(label.name)}`;
  const { top, min, max, mean } = label;
  if (label.mean === null) {
    const texts = top.map(({ value }) => value);
    // The rarer of two texts is the event.
    const positive = texts.find((text) => positiveTexts.has(text.toLowerCase())) ?? texts[texts.length - 1] ?? '';
    return `{${column}, positive: [${quoted(positive)}]}`;
  }
  if (Number(min) >= 0 && Number(max) <= 1) return `{${column}}`;
  return `{${column}, positive: {atLeast: ${Math.floor(mean ?? 0) + 1}}} # from ${min} to ${max}: say what counts as positive`;
}

function featureText(profile: ColumnProfile, listSeparator: string | null): string {
  const { name, kind, isList, values, distinct, min, max, listLengths } = profile;
  const left = (why: string): string => `# ${name.replaceAll(/[\r\n]/g, ' ')}: left out, ${why}`;
  if (values === 0) return left('it has no values');
  if (distinct <= 1 && profile.missing === 0 && !isList) return left('it has the same value everywhere');
  if (kind === 'bytes') return left('bytes');
  const parts = [`name: ${quoted(name)}`];
  const isText = kind === 'text';
  const isName =
    kind === 'int64' && (ID_NAME.test(name) || Math.abs(Number(max)) > LARGEST_QUANTITY || Math.abs(Number(min)) > LARGEST_QUANTITY);
  if (TIME_NAME.test(name) && !ID_NAME.test(name) && (isText || Number(max) > 1e6))
    return left('a time; take its hour or weekday into a column');
  if (isList) {
    if (!isText && kind !== 'int64') return left('a list of floats');
    parts.push('type: categorical', `maxLength: ${Math.max(1, listLengths?.max ?? 1)}`, 'combiner: mean');
    if (listSeparator !== null) parts.push(`separator: ${quoted(listSeparator)}`);
    return `- {${parts.join(', ')}}`;
  }
  if (isText || isName) {
    if (isText && values > 100 && distinct >= values * UNIQUE_SHARE) return left('it differs in nearly every record');
    return `- {${[...parts, 'type: categorical'].join(', ')}} # about ${distinct} values`;
  }
  const median = profile.quantiles?.[3] ?? 0;
  parts.push('type: numeric');
  if (Number(min) >= 0 && Number(max) > 10 * (median + 1)) parts.push('transform: log1p');
  else if (Number(profile.stddev) > 0)
    parts.push(
      'transform: standardize',
      `mean: ${Number((profile.mean ?? 0).toPrecision(8))}`,
      `stddev: ${Number((profile.stddev ?? 1).toPrecision(8))}`,
    );
  return `- {${parts.join(', ')}}`;
}

/** A text in double quotes, which YAML reads as JSON does. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
