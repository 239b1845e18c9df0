import { MonolithError, shapeMismatch } from '../base/index.js';
import { Activation, type KernelBackend, type Precision } from '../kernels/index.js';
import { type BatchSource, type ChunkContext, EmbeddingBag, type Layer, widthOf } from '../layers/index.js';
import { type BufferRequest, planMemory } from './memory-plan.js';
import type { TablePlan } from './model.js';

/** A layer in its place: `inputs` are numbers of earlier layers. */
export type GraphLayer = { readonly name: string; readonly layer: Layer; readonly inputs: readonly number[] };

/** What a graph is bound to. `gradients` null: forward only. Both lists hold one entry a layer with one view a parameter. */
export type GraphBinding = {
  readonly kernels: KernelBackend;
  readonly parameters: readonly (readonly Float32Array[])[];
  readonly gradients: readonly (readonly Float32Array[])[] | null;
  readonly chunkRows: number;
  /** Format of the operands of matrix products. */
  readonly precision: Precision;
  /** false gives every buffer memory of its own (tests). */
  readonly reuse: boolean;
  /** Memory of another graph bound alike, or null for new memory. */
  readonly arena: Float32Array | null;
};

const EMPTY = new Float32Array(0);

/**
 * A model as layers in the order of their creation, which is a topological order. Forward runs them in order, backward in reverse; the
 * backward pass is derived: a layer runs backward when it or anything before it has something to learn.
 *
 * Memory plan. Let L be the number of layers. Layer i runs forward at time i, the loss at L, backward of layer i at 2L − i.
 *   output of i     from i to its last reader: a consumer's forward, the backward of a consumer that reads its inputs, the backward of i
 *                   itself if it reads its output (Layer.backwardReads). The model's output is never overwritten.
 *   gradient of i   from the backward of its last consumer, which overwrites, until the backward of i; earlier consumers add.
 *   scratch of i    from the forward to the backward of i.
 * All of them lie in one arena in which buffers of disjoint lives share memory (planMemory). Views are made once, at bind.
 */
export class Graph {
  /** Whether layer i runs backward. */
  readonly runsBackward: readonly boolean[];
  readonly wholeBatch: boolean;
  /** Memory of all buffers, after bind. */
  arena: Float32Array = EMPTY;
  /** [chunkRows · width] of the output layer, after bind. */
  output: Float32Array = EMPTY;
  /** Gradient of the output, written by the loss; empty when forward only. */
  dOutput: Float32Array = EMPTY;
  private outputs: readonly Float32Array[] = [];

  constructor(
    readonly layers: readonly GraphLayer[],
    readonly outputLayer: number,
    readonly source: BatchSource,
    readonly tables: readonly TablePlan[],
  ) {
    const runs: boolean[] = [];
    for (const { layer, inputs } of layers) {
      runs.push(layer.parameters.length > 0 || layer instanceof EmbeddingBag || inputs.some((input) => runs[input] === true));
    }
    this.runsBackward = runs;
    this.wholeBatch = layers.some(({ layer }) => layer.wholeBatch);
  }

  bind(binding: GraphBinding): void {
    const { kernels, chunkRows } = binding;
    const training = binding.gradients !== null;
    const count = this.layers.length;
    const requests = this.bufferRequests(chunkRows, training);
    const plan = planMemory(requests, binding.reuse);
    const arena = binding.arena ?? new Float32Array(plan.length);
    if (arena.length < plan.length) throw shapeMismatch('model', 'arena', plan.length, arena.length);
    this.arena = arena;
    const views = requests.map((request, i) => {
      const offset = plan.offsets[i];
      return arena.subarray(offset, offset + request.length);
    });
    const outputs = views.slice(0, count);
    const gradients = views.slice(count, 2 * count);
    const takenBy = training ? this.slopeTakers() : new Map<number, number>();
    const hasGradient = new Array<boolean>(count).fill(false);
    hasGradient[this.outputLayer] = true;
    // In the order of the backward pass, so that `accumulate` is false exactly for the first writer of a gradient.
    for (let i = count - 1; i >= 0; i--) {
      const { layer, inputs } = this.layers[i];
      const accumulate: boolean[] = [];
      const dInputs = inputs.map((input) => {
        const wanted = training && this.runsBackward[i] === true && this.runsBackward[input] === true;
        accumulate.push(wanted && hasGradient[input] === true);
        if (wanted) hasGradient[input] = true;
        return wanted ? gradients[input] : null;
      });
      layer.bind(
        {
          inputs: inputs.map((input) => outputs[input]),
          output: outputs[i],
          dInputs,
          accumulate,
          dOutput: gradients[i],
          inputSlopes: inputs.map((input) =>
            takenBy.get(input) === i ? (this.layers[input].layer.outputActivation ?? Activation.none) : Activation.none,
          ),
          slopeApplied: takenBy.has(i),
          parameters: binding.parameters[i] ?? [],
          dParameters: binding.gradients?.[i] ?? [],
          scratch: views[2 * count + i],
          precision: binding.precision,
        },
        kernels,
      );
    }
    this.outputs = outputs;
    this.output = outputs[this.outputLayer];
    this.dOutput = gradients[this.outputLayer];
  }

  /**
   * Which layer multiplies the gradient of a layer's output with the derivative of the activation at its end: its last consumer in backward,
   * which is the first in order, if that layer can and reads the output once. A pass over memory less for each.
   */
  private slopeTakers(): Map<number, number> {
    const takers = new Map<number, number>();
    this.layers.forEach(({ layer, inputs }, i) => {
      if (this.runsBackward[i] !== true) return;
      for (const input of inputs) {
        const isFirst = !takers.has(input);
        const able = layer.appliesInputSlopes === true && inputs.filter((other) => other === input).length === 1;
        if (isFirst) takers.set(input, able ? i : -1);
      }
    });
    for (const [producer, taker] of takers) {
      const activation = this.layers[producer].layer.outputActivation ?? Activation.none;
      if (taker < 0 || activation === Activation.none || this.runsBackward[producer] !== true || producer === this.outputLayer) {
        takers.delete(producer);
      }
    }
    return takers;
  }

  forward(chunk: ChunkContext): void {
    for (let i = 0; i < this.layers.length; i++) this.layers[i].layer.forward(chunk);
  }

  backward(chunk: ChunkContext): void {
    for (let i = this.layers.length - 1; i >= 0; i--) {
      if (this.runsBackward[i] === true) this.layers[i].layer.backward(chunk);
    }
  }

  /** Runs the chunk forward again and stops at the first layer whose output holds a NaN or an infinity. */
  firstNonFiniteOutput(chunk: ChunkContext, kernels: KernelBackend): { layer: string; index: number } | null {
    for (let i = 0; i < this.layers.length; i++) {
      const { name, layer } = this.layers[i];
      layer.forward(chunk);
      const index = kernels.firstNonFinite(chunk.rows * widthOf(layer.outputShape), this.outputs[i]);
      if (index >= 0) return { layer: name, index };
    }
    return null;
  }

  /** Outputs, then gradients, then scratch: 3 · layers requests. A buffer that nobody needs has length 0. */
  private bufferRequests(chunkRows: number, training: boolean): BufferRequest[] {
    const count = this.layers.length;
    const backwardTime = (i: number) => 2 * count - i;
    const runsBackward = (i: number) => training && this.runsBackward[i] === true;
    const lastRead = this.layers.map((_, i) => i);
    const firstGradient = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
    this.layers.forEach(({ layer, inputs }, i) => {
      if (runsBackward(i) && (layer.backwardReads?.output ?? true)) lastRead[i] = Math.max(lastRead[i], backwardTime(i));
      const readsInputs = runsBackward(i) && (layer.backwardReads?.inputs ?? true);
      for (const input of inputs) {
        lastRead[input] = Math.max(lastRead[input], readsInputs ? backwardTime(i) : i);
        if (runsBackward(i)) firstGradient[input] = Math.min(firstGradient[input], backwardTime(i));
      }
    });
    lastRead[this.outputLayer] = 2 * count + 1;
    firstGradient[this.outputLayer] = count;
    const widths = this.layers.map(({ layer }) => widthOf(layer.outputShape));
    const outputs = widths.map((width, i) => ({ length: chunkRows * width, start: i, end: lastRead[i] }));
    const gradients = widths.map((width, i) => {
      if (!runsBackward(i)) return { length: 0, start: 0, end: 0 };
      return { length: chunkRows * width, start: firstGradient[i], end: backwardTime(i) };
    });
    const scratch = this.layers.map(({ layer }, i) => {
      return { length: layer.scratchLength(chunkRows), start: i, end: runsBackward(i) ? backwardTime(i) : i };
    });
    return [...outputs, ...gradients, ...scratch];
  }
}

/** Throws InvalidModel when a layer contributes nothing to the output: most likely a mistake in the model. */
export function checkAllUsed(layers: readonly GraphLayer[], outputLayer: number): void {
  const used = new Array<boolean>(layers.length).fill(false);
  used[outputLayer] = true;
  for (let i = layers.length - 1; i >= 0; i--) {
    const { name, inputs } = layers[i];
    if (used[i] !== true) {
      throw new MonolithError('InvalidModel', `layer "${name}": its output is not used by the model's output; use it or leave it out`, {
        layer: name,
      });
    }
    for (const input of inputs) used[input] = true;
  }
}
