import { Activation } from '../kernels/index.js';
import type { ChunkContext, ParameterInitializer, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
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
 * Backward overwrites dY with dZ.
 */
export class Dense extends LayerBase {
  readonly kind = 'dense';
  readonly outputShape: readonly number[];
  override readonly parameters: readonly ParameterSpec[];
  readonly backwardReads: { readonly inputs: boolean; readonly output: boolean };

  constructor(
    private readonly numInputs: number,
    private readonly units: number,
    private readonly options: DenseOptions,
  ) {
    super();
    checkCount('dense', 'units', units);
    this.outputShape = [units];
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

  forward(chunk: ChunkContext): void {
    const { inputs, output, parameters } = this.buffers;
    const { numInputs, units } = this;
    const x = inputs[0];
    const weight = parameters[0];
    const bias = parameters[1] ?? null;
    const { activation } = this.options;
    this.kernels.gemm(false, false, chunk.rows, units, numInputs, x, numInputs, weight, units, output, units, false, bias, activation);
  }

  backward(chunk: ChunkContext): void {
    const { inputs, output, dInputs, accumulate, dOutput, parameters, dParameters } = this.buffers;
    const { numInputs, units, kernels } = this;
    const { rows } = chunk;
    const { activation } = this.options;
    if (activation !== Activation.none) kernels.activationBackward(activation, rows * units, output, dOutput, dOutput, false);
    const x = inputs[0];
    const dWeight = dParameters[0];
    const dBias = dParameters[1];
    const none = Activation.none;
    kernels.gemm(true, false, numInputs, units, rows, x, numInputs, dOutput, units, dWeight, units, true, null, none);
    if (dBias !== undefined) kernels.columnSum(rows, units, dOutput, units, dBias, true);
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    const weight = parameters[0];
    const add = accumulate[0] === true;
    kernels.gemm(false, true, rows, numInputs, units, dOutput, units, weight, units, dX, numInputs, add, null, none);
  }
}
