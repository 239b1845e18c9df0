import { suggest } from '../base/index.js';
import { optionTable } from './option-table.js';

/** Flags of Monolith's trainer that have no meaning here, with what to use instead. */
const FOREIGN_FLAGS: Readonly<Record<string, string>> = {
  'table-name': "tables are named by the model's features, as `monolith-local describe` lists them; leave it out",
  'parameter-sync-target': notYet('pushes rows that change to a server'),
  'parameter-sync-interval-ms': notYet('says how often'),
  'parameter-sync-model-name': notYet('names the model'),
  'parameter-sync-signature-name': notYet('names the signature'),
  'config-path': 'give the file as it is: monolith-local train config.yaml',
  'tfrecord-path': 'use --data FILE --format tfrecord',
  stdin: 'use --data -',
  'train-steps': 'use --max-steps',
  'learning-rate': 'use --optimizer.sparse.learning-rate and --optimizer.dense.learning-rate',
  'save-steps': 'use --checkpoint-every',
  'eval-steps': 'use --eval-every (steps between evaluations) or --log-every (seconds between progress reports)',
  resume: 'a run resumes unless --fresh is given',
  'num-workers': 'use --workers',
};

function notYet(what: string): string {
  return `a training job does not push rows to servers; a PsServer of the library does (option \`replicator\` ${what})`;
}

/** Why a flag is refused that is no option. @param flag without dashes */
export function unknownFlagText(flag: string): string {
  if (Object.hasOwn(FOREIGN_FLAGS, flag)) return `--${flag}: not here: ${FOREIGN_FLAGS[flag]}`;
  const near = suggest(
    flag,
    optionTable.map((known) => known.flag),
  );
  return `--${flag}: unknown flag${near === null ? '; --help lists all flags' : `; did you mean --${near}?`}`;
}
