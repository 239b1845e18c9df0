export { renderConfigurationDocs } from './docs.js';
export { configToYaml, explain } from './explain.js';
export { featureSchemaValidator, parseFeatureSchema } from './feature-schema.js';
export { type ConfigSources, type ResolvedConfig, resolveConfig } from './merge.js';
export {
  environmentPrefix,
  kebabOfPath,
  type OptionEntry,
  optionAtPath,
  optionOfEnv,
  optionOfFlag,
  optionTable,
  pathOfKebab,
} from './option-table.js';
export { isModelFile } from './paths.js';
export { showValue } from './problems.js';
export { parseJson, parseYaml, readStructuredFile } from './sources.js';
export type { PartialTrainingConfig, TrainingConfig } from './training-config.js';
export { argumentsForYargs, type YargsOption, yargsOptions, yargsParserConfiguration } from './yargs-options.js';
