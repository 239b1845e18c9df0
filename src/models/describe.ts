import { formatShape } from '../layers/index.js';
import { buildGraph, type ModelDefinition, type ModelOptions, planOf } from './define.js';
import type { ModelInputs, RowInitializer, SlicePlan } from './model.js';

/**
 * A model in words: every layer with its inputs, output shape and number of parameters; every table with its features and slices.
 * For people; the format may change.
 */
export function describe(definition: ModelDefinition, inputs: ModelInputs, options: ModelOptions = {}): string {
  const graph = buildGraph(definition, options, inputs);
  const plan = planOf(definition, graph);
  const rows = graph.layers.map(({ name, layer, inputs: from }) => {
    const count = layer.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const sources = from.map((i) => graph.layers[i].name).join(', ');
    return [name, layer.kind, formatShape(layer.outputShape), count === 0 ? '' : group(count), sources];
  });
  const total = plan.parameters.reduce((sum, { length }) => sum + length, 0);
  const header = `model ${plan.name}: ${inputs.dense.length} numeric columns, ${inputs.sparse.length} categorical features, loss ${plan.loss}`;
  const tables = plan.tables.map((table) => {
    const names = table.features.map((feature) => inputs.sparse[feature].name);
    return `table ${table.name}: ${names.length} features (${abbreviate(names)}), ${table.dim} values a row: ${table.slices.map(sliceText).join('; ')}`;
  });
  return [
    header,
    ...alignColumns([['layer', 'kind', 'output', 'parameters', 'inputs'], ...rows]),
    `dense parameters: ${group(total)}`,
    ...tables,
    '',
  ].join('\n');
}

function sliceText(slice: SlicePlan): string {
  const rule = slice.optimizer === null ? '' : `, ${slice.optimizer.kind}`;
  return `${slice.name} [${slice.dim}] ${slice.role}, ${slice.initializer === null ? "starts as the run's" : initializerText(slice.initializer)}${rule}`;
}

function initializerText(initializer: RowInitializer): string {
  switch (initializer.kind) {
    case 'zeros':
      return 'starts at 0';
    case 'constant':
      return `starts at ${initializer.value}`;
    case 'uniform':
      return `starts uniform in ${initializer.low} … ${initializer.high}`;
    case 'normal':
      return `starts normal, mean ${initializer.mean}, deviation ${initializer.stddev}`;
    default:
      throw new RangeError(`unknown initializer ${String(initializer satisfies never)}`);
  }
}

function abbreviate(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} … ${names.at(-1)}`;
}

/** 1234567 as 1,234,567, whatever the locale. */
function group(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Columns padded to their widest cell; numbers (column 3) to the right. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => {
    const cells = row.map((cell, column) => (column === 3 ? cell.padStart(widths[column]) : cell.padEnd(widths[column])));
    return `  ${cells.join('  ').trimEnd()}`;
  });
}
