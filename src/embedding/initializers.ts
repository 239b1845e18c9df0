import { MonolithError } from '../base/index.js';
import { InitializerKind, type SliceLayout } from '../kernels/index.js';

/** How new rows start, as users write it. */
export type InitializerSpec =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'constant'; readonly value: number }
  /** Even in [low, high). */
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  /** Bell-shaped, at most 2√3 ≈ 3.46 deviations from the mean. */
  | { readonly kind: 'normal'; readonly mean: number; readonly stddev: number };

/** An initializer as the kernels take it. Throws InvalidConfig for an unknown kind or a number that makes no sense. */
export function resolveInitializer(spec: InitializerSpec): SliceLayout['initializer'] {
  const finite = (name: string, value: number): number => {
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new MonolithError('InvalidConfig', `initializer ${spec.kind}: ${name} must be a finite number, got ${String(value)}`, {
      initializer: spec.kind,
      option: name,
    });
  };
  switch (spec.kind) {
    case 'zeros':
      return { kind: InitializerKind.zeros, a: 0, b: 0 };
    case 'constant':
      return { kind: InitializerKind.constant, a: finite('value', spec.value), b: 0 };
    case 'uniform': {
      const low = finite('low', spec.low);
      const high = finite('high', spec.high);
      if (low <= high) return { kind: InitializerKind.uniform, a: low, b: high };
      throw new MonolithError('InvalidConfig', `initializer uniform: low must not exceed high, got ${low} and ${high}`, { low, high });
    }
    case 'normal': {
      const stddev = finite('stddev', spec.stddev);
      if (stddev >= 0) return { kind: InitializerKind.normal, a: finite('mean', spec.mean), b: stddev };
      throw new MonolithError('InvalidConfig', `initializer normal: stddev must be ≥ 0, got ${stddev}`, { stddev });
    }
    default: {
      const { kind } = spec satisfies never as { kind: unknown };
      throw new MonolithError('InvalidConfig', `initializer: unknown kind "${String(kind)}"; known: zeros, constant, uniform, normal`);
    }
  }
}
