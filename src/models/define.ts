import { MonolithError, suggest } from '../base/index.js';
import { ModelBuilder, type Node } from './builder.js';
import type { Graph } from './graph.js';
import type { ModelInputs, ModelPlan, ParameterPlan } from './model.js';

/** Options of a model: plain JSON. */
export type ModelOptions = { readonly [name: string]: unknown };

/** A model: its name, its options with their defaults, and how it is built. */
export type ModelDefinition = {
  readonly name: string;
  /** Every option with its default; a default of null accepts any value. */
  readonly options: ModelOptions;
  /** Builds the layers and returns the node of the logit (or prediction), shape [1]. `options` has every option. */
  readonly build: (b: ModelBuilder, options: ModelOptions) => Node;
  readonly loss: 'bce' | 'mse';
  /** File of a user's model, for messages; null for built-in ones. */
  readonly file: string | null;
};

/** What a model's author writes. */
export type ModelSource<O extends ModelOptions> = {
  readonly name: string;
  readonly options?: O;
  readonly build: (b: ModelBuilder, options: O) => Node;
  /** Default 'bce'. */
  readonly loss?: 'bce' | 'mse';
};

/**
 * Defines a model. Options given later must be among `options` and of the same type as their default; they are checked before `build`
 * is called, so `build` may trust their types.
 */
export function defineModel<O extends ModelOptions>(source: ModelSource<O>, file: string | null = null): ModelDefinition {
  const where = file === null ? `model "${String(source.name)}"` : file;
  const fail = (text: string) => new MonolithError('InvalidModel', `${where}: ${text}`, { file });
  if (typeof source.name !== 'string' || source.name === '') throw fail('name must be a non-empty string');
  if (typeof source.build !== 'function') throw fail('build must be a function (builder, options) that returns the node of the logits');
  const options: ModelOptions = source.options ?? {};
  if (typeof options !== 'object' || Array.isArray(options)) throw fail('options must be an object of defaults');
  const loss = source.loss ?? 'bce';
  if (loss !== 'bce' && loss !== 'mse') throw fail(`loss must be 'bce' or 'mse', got ${String(loss)}`);
  // completeOptions has checked that the options have the shape of the defaults.
  const build = source.build as (b: ModelBuilder, options: ModelOptions) => Node;
  return { name: source.name, options, build, loss, file };
}

/** The model's defaults with the given options on top. Throws InvalidModel for an unknown option (with the nearest known one) or a wrong type. */
export function completeOptions(definition: ModelDefinition, given: ModelOptions): ModelOptions {
  const known = Object.keys(definition.options);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(definition.options, name)) {
      const near = suggest(name, known);
      const hint = near === null ? `it takes ${known.length === 0 ? 'no options' : known.join(', ')}` : `did you mean ${near}?`;
      throw new MonolithError('InvalidModel', `${titleOf(definition)}: unknown option ${name}; ${hint}`, {
        model: definition.name,
        option: name,
      });
    }
    const expected = typeName(definition.options[name]);
    const actual = typeName(value);
    if (!accepts(expected, actual)) {
      throw new MonolithError(
        'InvalidModel',
        `${titleOf(definition)}: option ${name} must be a ${expected}, got ${JSON.stringify(value)}`,
        {
          model: definition.name,
          option: name,
        },
      );
    }
  }
  return { ...definition.options, ...given };
}

/** Builds the graph of a model; errors in the model name it. */
export function buildGraph(definition: ModelDefinition, options: ModelOptions, inputs: ModelInputs): Graph {
  const complete = completeOptions(definition, options);
  const builder = new ModelBuilder(inputs);
  try {
    return builder.finish(definition.build(builder, complete));
  } catch (error) {
    const { message, details } = MonolithError.from(error);
    const text = error instanceof MonolithError ? message : `build failed: ${error instanceof Error ? error.message : String(error)}`;
    throw new MonolithError('InvalidModel', `${titleOf(definition)}: ${text}`, { ...details, model: definition.name }, { cause: error });
  }
}

/** Alignment of parameters in the flat vector, in floats. */
const ALIGNMENT = 16;

/** The plan of a graph: its tables and where each parameter lies. */
export function planOf(definition: ModelDefinition, graph: Graph): ModelPlan {
  const parameters: ParameterPlan[] = [];
  let offset = 0;
  for (const { name, layer } of graph.layers) {
    for (const spec of layer.parameters) {
      const length = spec.shape.reduce((a, b) => a * b, 1);
      parameters.push({ ...spec, fullName: `${name}.${spec.name}`, length, offset });
      offset += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    }
  }
  return {
    name: definition.name,
    tables: graph.tables,
    parameters,
    parametersLength: offset,
    wholeBatch: graph.wholeBatch,
    loss: definition.loss,
  };
}

/**
 * What the engine needs to know of a model with these options and inputs. Cheap: nothing is allocated for training.
 * Throws InvalidModel.
 */
export function planModel(definition: ModelDefinition, options: ModelOptions, inputs: ModelInputs): ModelPlan {
  return planOf(definition, buildGraph(definition, options, inputs));
}

function titleOf(definition: ModelDefinition): string {
  return definition.file === null ? `model ${definition.name}` : `${definition.file} (model ${definition.name})`;
}

/** Whether a value of one type may replace a default of another: null takes anything, lists take empty lists and the other way round. */
function accepts(expected: string, actual: string): boolean {
  if (expected === 'null' || expected === actual) return true;
  return expected.includes('list') && actual.includes('list') && (expected === 'empty list' || actual === 'empty list');
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (!Array.isArray(value)) return typeof value;
  return value.length === 0 ? 'empty list' : `list of ${typeof value[0]}s`;
}
