import { Activation, type KernelBackend } from '../kernels/index.js';
import type { ChunkContext, LayerBuffers, ParameterInitializer, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { PackedWeights } from './packed-weights.js';
import { checkCount } from './shape.js';

export type DenseOptions = {
  readonly activation: Activation;
  readonly useBias: boolean;
  /** Default xavierNormal. */
  readonly weightInitializer?: ParameterInitializer | undefined;
  /** Default zeros. */
  readonly biasInitializer?: ParameterInitializer | undefined;
};

/**
 * Fully connected layer, y = activation(x·W + b); W is stored [inputs, units].
 *
 *     dZ = dY ⊙ activation′(y);  dW += xᵀ·dZ;  db += Σ dZ;  dX (+)= dZ·Wᵀ
 *
 * Backward overwrites dY with dZ, unless its consumer has made dZ already; and where x ends in an activation that nobody consumes after
 * this layer in backward, dX becomes the gradient before it in the same pass.
 */
export class Dense extends LayerBase {
  readonly kind = 'dense';
  readonly outputShape: readonly number[];
  override readonly parameters: readonly ParameterSpec[];
  readonly backwardReads: { readonly inputs: boolean; readonly output: boolean };
  readonly outputActivation: Activation;
  readonly appliesInputSlopes = true;
  private weights: PackedWeights | null = null;

  constructor(
    private readonly numInputs: number,
    private readonly units: number,
    private readonly options: DenseOptions,
  ) {
    super();
    checkCount('dense', 'units', units);
    this.outputShape = [units];
    this.outputActivation = options.activation;
    this.backwardReads = { inputs: true, output: options.activation !== Activation.none };
    const weight: ParameterSpec = {
      name: 'weight',
      shape: [numInputs, units],
      initializer: options.weightInitializer ?? { kind: 'xavierNormal', fanIn: numInputs, fanOut: units },
      trainable: true,
      decay: true,
    };
    const bias: ParameterSpec = {
      name: 'bias',
      shape: [units],
      initializer: options.biasInitializer ?? { kind: 'zeros' },
      trainable: true,
      decay: false,
    };
    this.parameters = options.useBias ? [weight, bias] : [weight];
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    this.weights = new PackedWeights(kernels, buffers, this.numInputs, this.units);
  }

  forward(chunk: ChunkContext): void {
    const { buffers, kernels, numInputs, units } = this;
    const { inputs, output, parameters } = buffers;
    const weights = this.weights ?? this.unbound();
    const packed = weights.forForward(chunk);
    const bias = parameters[1] ?? null;
    const { activation } = this.options;
    const { none } = Activation;
    kernels.gemmPacked(
      weights.precision,
      chunk.rows,
      units,
      numInputs,
      inputs[0],
      numInputs,
      packed,
      output,
      units,
      false,
      bias,
      activation,
      none,
      null,
      0,
    );
  }

  backward(chunk: ChunkContext): void {
    const { inputs, output, dInputs, accumulate, dOutput, dParameters, inputSlopes, slopeApplied } = this.buffers;
    const { numInputs, units, kernels } = this;
    const { rows } = chunk;
    const { activation } = this.options;
    const { none } = Activation;
    const weights = this.weights ?? this.unbound();
    if (activation !== none && slopeApplied !== true) kernels.activationBackward(activation, rows * units, output, dOutput, dOutput, false);
    const x = inputs[0];
    const dBias = dParameters[1] ?? null;
    kernels.weightGradient(weights.precision, rows, numInputs, units, x, numInputs, dOutput, units, dParameters[0], dBias);
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    const packed = weights.forBackward(chunk);
    const add = accumulate[0] === true;
    const slope = inputSlopes?.[0] ?? none;
    kernels.gemmPacked(
      weights.precision,
      rows,
      numInputs,
      units,
      dOutput,
      units,
      packed,
      dX,
      numInputs,
      add,
      null,
      none,
      slope,
      x,
      numInputs,
    );
  }
}
