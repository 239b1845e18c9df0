import { MonolithError, suggest } from '../base/index.js';
import { Activation } from '../kernels/index.js';
import {
  ActivationLayer,
  Add,
  BatchNorm,
  BatchSource,
  Bias,
  CompressedInteraction,
  Concat,
  CrossV1,
  CrossV2,
  checkCount,
  Dense,
  DotInteraction,
  Dropout,
  EmbeddingBag,
  FactorizationMachine,
  FieldAwareFactorizationMachine,
  formatShape,
  InputDense,
  type Layer,
  Multiply,
  type ParameterInitializer,
  Slice,
  SumLastAxis,
  Transpose,
  widthOf,
} from '../layers/index.js';
import type { OptimizerSpec } from '../optimizers/index.js';
import { checkAllUsed, Graph, type GraphLayer } from './graph.js';
import type { ModelInputs, RowInitializer } from './model.js';
import { layOutTables, piecesOf, type SliceDeclaration } from './table-layout.js';

/** Output of a layer while a model is built: what further layers take as input. */
export class Node {
  constructor(
    /** The builder that made it. */
    readonly builder: ModelBuilder,
    /** Number of the layer whose output this is. */
    readonly layerIndex: number,
    /** Shape of one example. */
    readonly shape: readonly number[],
  ) {}

  /** Values of one example. */
  get width(): number {
    return widthOf(this.shape);
  }
}

export type ActivationName = keyof typeof Activation;

export type EmbeddingOptions = {
  /** Name of the slice: letters, digits, `_`, `-`, `.`. */
  readonly name: string;
  /** Values per feature. */
  readonly dim: number;
  /** 'linear' slices may get an optimizer of their own in the run's configuration. Default 'embedding'. */
  readonly role?: 'embedding' | 'linear';
  /** Names of categorical features; default all, in schema order. Rows of the output stand in this order. */
  readonly features?: readonly string[];
  /** Values of a new row; default: the run's. */
  readonly initializer?: RowInitializer;
  /** Update rule; default: the run's sparse (or linear) optimizer. */
  readonly optimizer?: OptimizerSpec;
};

export type DenseLayerOptions = {
  readonly name?: string;
  readonly activation?: ActivationName;
  readonly useBias?: boolean;
  readonly weightInitializer?: ParameterInitializer;
  readonly biasInitializer?: ParameterInitializer;
};

export type TowerOptions = {
  /** Layers are called `<name>.0`, `<name>.1` … */
  readonly name: string;
  readonly activation?: ActivationName;
  /** Share of activations dropped after each layer. */
  readonly dropout?: number;
  /** Normalise between product and activation. */
  readonly batchNorm?: boolean;
  /** Initializer of each layer's bias from its number of units; default zeros. */
  readonly biasInitializer?: (units: number) => ParameterInitializer;
};

/**
 * Builds a model: every method adds a layer and returns its output. Shapes are those of one example. Wrong shapes, names used twice and
 * unknown features throw InvalidModel.
 */
export class ModelBuilder {
  private readonly layers: GraphLayer[] = [];
  private readonly names = new Set<string>();
  private readonly source = new BatchSource();
  private readonly embeddings: { layer: EmbeddingBag; slice: SliceDeclaration }[] = [];
  private denseNode: Node | null = null;

  constructor(readonly inputs: ModelInputs) {}

  /** Whether the data have numeric columns. */
  get hasDense(): boolean {
    return this.inputs.dense.length > 0;
  }

  /** Whether the data have categorical features. */
  get hasSparse(): boolean {
    return this.inputs.sparse.length > 0;
  }

  /** The numeric columns, [numDense]. Throws InvalidModel when the data have none; see {@link hasDense}. */
  denseInput(): Node {
    if (!this.hasDense) throw new MonolithError('InvalidModel', 'denseInput: the data have no numeric columns; ask hasDense first');
    this.denseNode ??= this.layer(new InputDense(this.inputs.dense.length, this.source), [], 'numeric');
    return this.denseNode;
  }

  /** A slice of the embedding rows of some features, pooled bag by bag: [features, dim]. */
  embedding(options: EmbeddingOptions): Node {
    const { name, dim, role = 'embedding', initializer = null, optimizer = null } = options;
    if (!/^[\w.-]+$/.test(name)) {
      throw new MonolithError('InvalidModel', `embedding "${name}": a slice name has letters, digits, "_", "-" and "." only`);
    }
    checkCount(`embedding "${name}"`, 'dim', dim);
    const features =
      options.features === undefined ? this.inputs.sparse.map((_, i) => i) : options.features.map((f) => this.featureNumber(name, f));
    if (features.length === 0) throw new MonolithError('InvalidModel', `embedding "${name}": the data have no categorical features`);
    if (new Set(features).size !== features.length)
      throw new MonolithError('InvalidModel', `embedding "${name}": a feature is named twice`);
    const layer = new EmbeddingBag(features.length, dim, this.source);
    const node = this.layer(layer, [], name);
    this.embeddings.push({ layer, slice: { name, dim, role, initializer, optimizer, features } });
    return node;
  }

  /** First-order term of the categorical features: a slice "linear" of one weight an id, zero at first, summed to [1]. */
  linear(): Node {
    const weights = this.embedding({ name: 'linear', dim: 1, role: 'linear', initializer: { kind: 'zeros' } });
    return this.sum(this.reshape(weights, [weights.width]), 'linear.sum');
  }

  /** A trainable constant [n]; weight decay leaves it alone unless `decay` says otherwise. */
  bias(n = 1, name?: string, decay = false): Node {
    return this.layer(new Bias(n, decay), [], name);
  }

  /** Fully connected layer on the flattened input: [units]. Weights xavierNormal, bias zeros by default. */
  dense(x: Node, units: number, options: DenseLayerOptions = {}): Node {
    const { activation = 'none', useBias = true, weightInitializer, biasInitializer } = options;
    const kind = activationOf(activation);
    return this.layer(new Dense(x.width, units, { activation: kind, useBias, weightInitializer, biasInitializer }), [x], options.name);
  }

  /** A tower: for each size a dense layer, batch norm if wanted, activation (default relu), dropout if wanted. */
  mlp(x: Node, sizes: readonly number[], options: TowerOptions): Node {
    const { name, activation = 'relu', dropout = 0, batchNorm = false, biasInitializer } = options;
    return sizes.reduce((input, units, i) => {
      const layerName = `${name}.${i}`;
      const bias = biasInitializer === undefined ? {} : { biasInitializer: biasInitializer(units) };
      let node = this.dense(input, units, { name: layerName, activation: batchNorm ? 'none' : activation, ...bias });
      if (batchNorm) node = this.activation(this.batchNorm(node, { name: `${layerName}.norm` }), activation, `${layerName}.activation`);
      return this.dropout(node, dropout, `${layerName}.dropout`);
    }, x);
  }

  /** Inputs flattened and side by side: [Σ widths]. */
  concat(nodes: readonly Node[], name?: string): Node {
    const [only] = nodes;
    if (only === undefined) throw new MonolithError('InvalidModel', 'concat: no inputs');
    if (nodes.length === 1) return this.reshape(only, [only.width]);
    return this.layer(new Concat(nodes.map((node) => node.shape)), nodes, name);
  }

  /** x[start … end) along the first axis. The whole axis costs nothing; a part is copied. */
  slice(x: Node, start: number, end: number, name?: string): Node {
    return start === 0 && end === x.shape[0] ? x : this.layer(new Slice(x.shape, start, end), [x], name);
  }

  /** The same values under another shape; costs nothing. */
  reshape(x: Node, shape: readonly number[]): Node {
    if (widthOf(shape) !== x.width || shape.some((size) => !Number.isInteger(size) || size < 1)) {
      throw new MonolithError('InvalidModel', `reshape: ${formatShape(x.shape)} cannot become ${formatShape(shape)}`);
    }
    this.checkOwn('reshape', x);
    return new Node(this, x.layerIndex, shape);
  }

  /** [p, q] gives [q, p]. */
  transpose(x: Node, name?: string): Node {
    return this.layer(new Transpose(x.shape), [x], name);
  }

  /** Element-wise sum of nodes of one shape. */
  add(nodes: readonly Node[], name?: string): Node {
    const [only] = nodes;
    if (only === undefined) throw new MonolithError('InvalidModel', 'add: no inputs');
    return nodes.length === 1 ? only : this.layer(new Add(nodes.map((node) => node.shape)), nodes, name);
  }

  /** Element-wise product of two nodes of one shape. */
  multiply(a: Node, b: Node, name?: string): Node {
    return this.layer(new Multiply(a.shape, b.shape), [a, b], name);
  }

  /** Sum over the last axis: [n] gives [1], [h, d] gives [h]. */
  sum(x: Node, name?: string): Node {
    return this.layer(new SumLastAxis(x.shape), [x], name);
  }

  activation(x: Node, activation: ActivationName, name?: string): Node {
    return activation === 'none' ? x : this.layer(new ActivationLayer(x.shape, activationOf(activation)), [x], name);
  }

  /** Second-order factorization machine: [F, D] gives [1]. */
  fm(x: Node, name?: string): Node {
    return this.layer(new FactorizationMachine(x.shape), [x], name);
  }

  /** Field-aware factorization machine: [F, F, D] gives [1]. */
  ffm(x: Node, name?: string): Node {
    return this.layer(new FieldAwareFactorizationMachine(x.shape), [x], name);
  }

  /** DLRM's pairwise dots: [V, D] gives [V(V−1)/2]. */
  dotInteraction(x: Node, name?: string): Node {
    return this.layer(new DotInteraction(x.shape), [x], name);
  }

  /** DCN cross layer, vector form; both inputs [n]. */
  crossV1(x0: Node, x: Node, name?: string): Node {
    return this.layer(new CrossV1(x0.shape, x.shape), [x0, x], name);
  }

  /** DCN-v2 cross layer, matrix form; both inputs [n]. */
  crossV2(x0: Node, x: Node, name?: string): Node {
    return this.layer(new CrossV2(x0.shape, x.shape), [x0, x], name);
  }

  /** One CIN layer in transposed layout: x [D, H], x0 [D, F] give [D, maps]. */
  cin(x: Node, x0: Node, maps: number, options: { activation?: ActivationName; name?: string } = {}): Node {
    return this.layer(
      new CompressedInteraction(x.shape, x0.shape, maps, activationOf(options.activation ?? 'none')),
      [x, x0],
      options.name,
    );
  }

  /** Batch normalisation by column. The worker's batch then runs as one chunk. */
  batchNorm(x: Node, options: { momentum?: number; epsilon?: number; name?: string } = {}): Node {
    return this.layer(new BatchNorm(x.shape, { momentum: options.momentum ?? 0.99, epsilon: options.epsilon ?? 1e-6 }), [x], options.name);
  }

  /** Drops values in training with probability `rate`; rate 0 adds no layer. */
  dropout(x: Node, rate: number, name?: string): Node {
    return rate === 0 ? x : this.layer(new Dropout(x.shape, rate, this.layers.length), [x], name);
  }

  /** Adds any layer, for instance one of your own. `inputs` in the order that the layer expects. Default name: its kind. */
  layer(layer: Layer, inputs: readonly Node[], name?: string): Node {
    const fullName = name ?? this.freeName(layer.kind);
    if (this.names.has(fullName)) throw new MonolithError('InvalidModel', `layer "${fullName}": this name is already taken`);
    for (const input of inputs) this.checkOwn(fullName, input);
    this.names.add(fullName);
    this.layers.push({ name: fullName, layer, inputs: inputs.map((input) => input.layerIndex) });
    return new Node(this, this.layers.length - 1, layer.outputShape);
  }

  /** Closes the model: checks the output and lays the tables out. Called by planModel and ModelRuntime. */
  finish(output: Node): Graph {
    if (!(output instanceof Node)) {
      throw new MonolithError('InvalidModel', `build must return the node of the logits, got ${output === null ? 'null' : typeof output}`);
    }
    this.checkOwn('output', output);
    if (output.width !== 1) throw new MonolithError('InvalidModel', `the output must have shape [1], got ${formatShape(output.shape)}`);
    checkAllUsed(this.layers, output.layerIndex);
    const slices = this.embeddings.map(({ slice }) => slice);
    const tables = layOutTables(slices, this.inputs.sparse.length);
    for (const { layer, slice } of this.embeddings) layer.place(piecesOf(slice, tables, this.inputs));
    const graph = new Graph(this.layers, output.layerIndex, this.source, tables);
    if (graph.runsBackward[output.layerIndex] !== true) throw new MonolithError('InvalidModel', 'the model has nothing to learn');
    return graph;
  }

  private featureNumber(slice: string, feature: string): number {
    const names = this.inputs.sparse.map(({ name }) => name);
    const index = names.indexOf(feature);
    if (index >= 0) return index;
    const near = suggest(feature, names);
    throw new MonolithError(
      'InvalidModel',
      `embedding "${slice}": the data have no categorical feature "${feature}"${near === null ? '' : `; did you mean "${near}"?`}`,
      { slice, feature },
    );
  }

  private freeName(kind: string): string {
    let name = kind;
    for (let i = 2; this.names.has(name); i++) name = `${kind}.${i}`;
    return name;
  }

  private checkOwn(layer: string, node: Node): void {
    if (!(node instanceof Node)) throw new MonolithError('InvalidModel', `layer "${layer}": an input is no node of this model`);
    if (node.builder !== this) throw new MonolithError('InvalidModel', `layer "${layer}": an input belongs to another model`);
  }
}

function activationOf(name: ActivationName): Activation {
  if (!Object.hasOwn(Activation, name)) {
    throw new MonolithError('InvalidModel', `unknown activation "${String(name)}"; known: ${Object.keys(Activation).join(', ')}`);
  }
  return Activation[name];
}
