import { MonolithError } from '../base/index.js';
import { avroStrings } from './columnar/avro-cut.js';
import { type CompiledGroup, compileProgram } from './compile.js';
import { checkSameLists, type DataPlan, listColumns } from './inputs.js';
import { criteoNames, describeFile } from './inspect.js';
import type { PreparedFile } from './prepared-file.js';

/** Looks at one file of a plan and compiles its program. @throws DataNotFound, DataFormat, RecordCorrupt, InvalidConfig. */
export async function prepareFile(plan: DataPlan, groups: readonly CompiledGroup[], fileIndex: number): Promise<PreparedFile> {
  const info = plan.files[fileIndex];
  if (info === undefined) throw new MonolithError('Internal', `no file number ${fileIndex}`);
  // All files are read as the first one's format; each has its own header.
  const options = { ...plan.options, format: plan.format };
  const description = fileIndex === 0 ? plan.first : await describeFile(info, options);
  const { columns, separator, labelType, denseType, avro } = description;
  const lists = listColumns(description);
  checkSameLists(plan, description, lists);
  const program = compileProgram({
    options,
    format: plan.format,
    schema: plan.schema,
    columns: plan.format === 'criteo-bin' ? criteoNames() : columns,
    lists,
    extraStrings: avro === null ? [] : avroStrings(avro),
    groups,
    numFields: plan.numFields,
    separator,
    labelType,
    denseType,
    npz: description.npz ?? null,
    where: info.path,
  });
  return { description, program };
}
