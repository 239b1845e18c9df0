import { type OptionEntry, optionTable, otherFlagsOf } from './option-table.js';

const introduction = `# Configuration

<!-- Written by renderConfigurationDocs() from the table of options (src/config/options.ts); a test compares the two. -->

Every option exists once and can be given in three ways. Later ones win:

1. the configuration file, YAML or JSON: \`monolith-local train train.yaml\`;
2. an environment variable: \`MONOLITH_LOCAL_BATCH_SIZE=1024\`;
3. a flag: \`--batch-size 1024\`.

\`monolith-local config --explain train.yaml\` prints every value and where it comes from.

- An unknown option, a wrong type and a number out of range are errors; nothing is guessed and nothing is ignored.
- Relative paths in a file are relative to the folder of the file; those in flags and variables to the current folder.
- In flags and variables a list is separated by commas (or the flag is given several times), and a mapping is YAML or JSON on one line:
  \`--model-options '{hidden: [400, 400]}'\`.
- \`optimizer.linear\` is for linear weights (the first-order part of a model). It takes what it does not say from \`optimizer.sparse\` as long
  as both have the same rule. A rule's number that is not given takes the rule's own default.

\`\`\`yaml
# train.yaml
model: deepfm
modelOptions: {hidden: [400, 400]}
data:
  train: clicks-*.tsv.gz
  split: {by: fraction, fraction: 0.1}
optimizer:
  sparse: {kind: adagrad, learningRate: 0.05}
\`\`\`
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function defaultText(entry: OptionEntry): string {
  const value = entry.option.defaultValue;
  if (value === undefined) return "the rule's";
  if (entry.nullableSection !== null) return `as ${entry.path.replace('linear', 'sparse')}`;
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** docs/configuration.md, made from the table of options. */
export function renderConfigurationDocs(): string {
  const groups = new Map<string, OptionEntry[]>();
  for (const entry of optionTable) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
  const sections = [...groups].map(([title, entries]) => {
    const rows = entries.map((entry) => {
      const names = [`\`${entry.path}\``, ...[entry.flag, ...otherFlagsOf(entry)].map((flag) => `\`--${flag}\``)].join('<br>');
      return `| ${names} | ${cell(entry.option.expected)} | ${cell(defaultText(entry))} | ${cell(entry.option.text)} |`;
    });
    return [`## ${title}`, '', '| Option, flag | Takes | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n');
  });
  const environment = [
    '## Environment variables',
    '',
    'The variable of an option is its flag in capitals, with `_` for `-` and `.`, after `MONOLITH_LOCAL_`:',
    '`--eval-data` is `MONOLITH_LOCAL_EVAL_DATA`, `--optimizer.sparse.learning-rate` is `MONOLITH_LOCAL_OPTIMIZER_SPARSE_LEARNING_RATE`.',
  ].join('\n');
  return `${[introduction, ...sections, environment].join('\n\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
}
