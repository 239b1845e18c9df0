export { compareResults, compareText, failures, readBenchFile } from './compare.js';
export { type BenchRequest, benchFlags, parseBenchRequest } from './request.js';
export { BENCH_FORMAT, type BenchFile, type BenchResult, type Measurement, quantile, spreadOf } from './result.js';
export { type BenchOutput, runBench } from './run.js';
export { type LimitKind, limitKinds, suiteNames, suiteOf } from './suites.js';
export { figure } from './text.js';
export { deepfmMegaflop, dlrmMegaflop } from './training-plan.js';
