import type { TrainingConfig } from '../config/index.js';
import type { PipelineOptions } from './options.js';

/** How a configuration says that records are to be read, whatever they are read for. */
export function readingOptions(data: TrainingConfig['data']): Partial<PipelineOptions> {
  return {
    format: data.format,
    schema: data.schema,
    maxIdsPerExample: data.maxIdsPerExample,
    headerBytes: data.headerBytes,
    labelType: data.labelType,
    denseType: data.denseType,
    separator: data.separator,
    header: data.header,
    trim: data.trim,
    numFields: data.numFields,
    framing: {
      hasSortId: data.hasSortId,
      kafkaDump: data.kafkaDump,
      kafkaDumpPrefix: data.kafkaDumpPrefix,
      lagrangexHeader: data.lagrangexHeader,
    },
    bareMessage: data.bareMessage,
    criteoIntegers: data.criteoIntegers,
  };
}
