import { type KernelBackend, Precision } from '../kernels/index.js';
import type { ChunkContext, LayerBuffers } from './layer.js';

/**
 * A weight matrix W [inputs, units] in the form in which products read it: as it is for x·W, transposed for dZ·Wᵀ. Each form is made when it
 * is first needed and kept while {@link ChunkContext.parametersVersion} stays the same, so a batch of several chunks packs once.
 */
export class PackedWeights {
  /** Format of the operands. A single column stays fp32: a dot product reads each weight once, and rounding would cost more than it saves. */
  readonly precision: Precision;
  private readonly weight: Float32Array;
  private readonly plain: Float32Array;
  private readonly transposed: Float32Array;
  private plainVersion = 0;
  private transposedVersion = 0;

  /** `buffers` those of the layer, W its parameter 0. The transposed form gets memory only where the layer has a backward pass. */
  constructor(
    private readonly kernels: KernelBackend,
    buffers: LayerBuffers,
    private readonly inputs: number,
    private readonly units: number,
  ) {
    this.precision = units === 1 ? Precision.fp32 : (buffers.precision ?? Precision.fp32);
    this.weight = buffers.parameters[0];
    this.plain = new Float32Array(kernels.packedWeightsLength(this.precision, units, inputs));
    const backward = buffers.dParameters.length > 0;
    this.transposed = new Float32Array(backward ? kernels.packedWeightsLength(this.precision, inputs, units) : 0);
  }

  /** W packed, for products of k = inputs and n = units. */
  forForward(chunk: ChunkContext): Float32Array {
    const { inputs, units } = this;
    const version = chunk.parametersVersion ?? 0;
    if (version === 0 || version !== this.plainVersion) {
      this.kernels.packWeights(this.precision, false, units, inputs, this.weight, units, this.plain);
      this.plainVersion = version;
    }
    return this.plain;
  }

  /** Wᵀ packed, for products of k = units and n = inputs. */
  forBackward(chunk: ChunkContext): Float32Array {
    const { inputs, units } = this;
    const version = chunk.parametersVersion ?? 0;
    if (version === 0 || version !== this.transposedVersion) {
      this.kernels.packWeights(this.precision, true, inputs, units, this.weight, units, this.transposed);
      this.transposedVersion = version;
    }
    return this.transposed;
  }
}
