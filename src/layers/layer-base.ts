import { MonolithError } from '../base/index.js';
import type { KernelBackend } from '../kernels/index.js';
import type { ChunkContext, Layer, LayerBuffers, ParameterSpec } from './layer.js';

const EMPTY = new Float32Array(0);

const UNBOUND_BUFFERS: LayerBuffers = {
  inputs: [],
  output: EMPTY,
  dInputs: [],
  accumulate: [],
  dOutput: EMPTY,
  parameters: [],
  dParameters: [],
  scratch: EMPTY,
};

/** Stands for the kernels until a graph binds the layer; any use is a mistake in the caller. */
const UNBOUND_KERNELS = new Proxy({} as KernelBackend, {
  get(_, property) {
    throw new MonolithError('Internal', `layer: ${String(property)} called before the layer was bound to a graph`);
  },
});

/**
 * What every layer has in common: no parameters, no scratch, any chunk size, and the buffers kept by `bind`. Subclass it, or implement
 * {@link Layer} from scratch.
 */
export abstract class LayerBase implements Layer {
  abstract readonly kind: string;
  abstract readonly outputShape: readonly number[];
  readonly parameters: readonly ParameterSpec[] = [];
  readonly wholeBatch: boolean = false;
  protected buffers: LayerBuffers = UNBOUND_BUFFERS;
  protected kernels: KernelBackend = UNBOUND_KERNELS;

  scratchLength(_rows: number): number {
    return 0;
  }

  bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    this.buffers = buffers;
    this.kernels = kernels;
  }

  /** What `forward` says before `bind`. */
  protected unbound(): never {
    throw new MonolithError('Internal', `layer ${this.kind}: forward called before the layer was bound to a graph`);
  }

  abstract forward(chunk: ChunkContext): void;
  abstract backward(chunk: ChunkContext): void;
}
