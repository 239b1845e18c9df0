// Rows of 16 floats between a worker process and a parameter-server process over gRPC on this machine: each is pulled, and a gradient pushed for it.
//   node dist/bench/grpc/rows.bench.js [--seconds S]
// GB/s count the values of rows and gradients alone, as ps-lite's benchmark does; ids come on top.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { makeFid } from '../../src/base/index.js';
import { OptimizerKind } from '../../src/kernels/index.js';
import type { ShardSpec } from '../../src/ps/index.js';
import { ExchangeRegion, SHARD_REQUEST_WORDS, type ShardLine, ShardOp } from '../../src/ps/index.js';
import { RemoteShard, rpcControl, rpcExchange, ShardBridge } from '../../src/ps-rpc/index.js';
import { AbortWord, Counter, MpscRing } from '../../src/sharedarraybuffer-ring/index.js';
import { benchArguments, report, wanted } from '../lib/report.js';

const DIM = 16;
const VOCABULARY = 1 << 20;
const ROUNDS = 10;

const specOf = (rows: number, regions: number): ShardSpec => ({
  seed: 1,
  mode: 'async',
  workers: 1,
  regionsPerWorker: regions,
  layout: { numShards: 1, tables: [{ dim: DIM, maxIds: rows }], parametersLength: 0 },
  tables: [
    {
      name: 'rows',
      slices: [{ dim: DIM, initializer: { kind: 2, a: -0.01, b: 0.01 }, optimizer: { kind: OptimizerKind.sgd, hyper: [0] } }],
      sliceRates: [0.01],
      maxRows: 0,
      expectedRows: VOCABULARY,
    },
  ],
  tensors: [],
  denseStateLength: 0,
  clip: { value: 0, globalNorm: 0, rowNorm: 0 },
  schedule: { kind: 'constant' },
});

type ShardProcess = { readonly child: ChildProcess; readonly address: string; readonly cpuUs: Promise<number> };

async function startShard(): Promise<ShardProcess> {
  const program = fileURLToPath(new URL('./shard-process.js', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const address = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the shard's process ended with code ${code}`)));
    lines.once('line', resolve);
  });
  return { child, address, cpuUs: new Promise((resolve) => lines.once('line', (text) => resolve(Number(text)))) };
}

/** Pulls and pushes `rows` rows at a time with `regions` batches under way; M rows a second of each round. */
async function measure(rows: number, regions: number): Promise<{ figures: number[]; workerUs: number; shardUs: number }> {
  const { child, address, cpuUs } = await startShard();
  const spec = specOf(rows, regions);
  const abort = new AbortWord(new SharedArrayBuffer(AbortWord.byteLength), 0);
  const slots = 4 * regions;
  const ring = new SharedArrayBuffer(MpscRing.byteLength(slots, SHARD_REQUEST_WORDS));
  const counter = (): Counter => new Counter(new SharedArrayBuffer(Counter.byteLength), 0, abort);
  const line: ShardLine = {
    worker: 0,
    shard: 0,
    requests: new MpscRing(ring, 0, slots, SHARD_REQUEST_WORDS, abort),
    lookups: counter(),
    applies: counter(),
    regions: Array.from(
      { length: regions },
      () => new ExchangeRegion(spec.layout, new SharedArrayBuffer(ExchangeRegion.byteLength(spec.layout)), 0),
    ),
    parameters: new Float32Array(0),
    blocks: [],
  };
  const options = { resolveAddress: () => Promise.resolve(address) };
  const remote = new RemoteShard(rpcControl(options), { job: 'bench', shard: 0, spec, peerTimeoutMs: 30_000 });
  await remote.configure();
  const bridge = new ShardBridge(line, rpcExchange(options), { job: 'bench', numShards: 1, peerTimeoutMs: 30_000 });
  try {
    await bridge.ready;
    line.regions.forEach(({ tables: [{ unique, shardOffsets, dRows }] }, r) => {
      for (let i = 0; i < rows; i++) unique[i] = makeFid(1, BigInt((i * 7919 + r * rows) % VOCABULARY));
      shardOffsets[1] = rows;
      dRows.fill(0.001);
    });
    const request = (op: number, step: number): void => {
      line.requests.tryPush(Int32Array.of(op, 0, step % regions, step));
    };
    let step = 0;
    const run = async (steps: number): Promise<void> => {
      const end = step + steps;
      const ahead = regions - 1;
      for (let first = 0; first < Math.min(ahead, steps); first++) request(ShardOp.lookup, step + first);
      for (; step < end; step++) {
        await line.lookups.waitForAsync(step + 1, 30_000);
        request(ShardOp.apply, step);
        // The region of the batch before this one comes free; this one's push is under way meanwhile.
        await line.applies.waitForAsync(step, 30_000);
        if (step + ahead < end) request(ShardOp.lookup, step + ahead);
      }
      await line.applies.waitForAsync(step, 30_000);
    };
    const steps = Math.max(regions * 2, Math.round((benchArguments.seconds * 3_000_000) / rows / ROUNDS));
    await run(steps);
    const figures: number[] = [];
    const before = process.cpuUsage();
    for (let round = 0; round < ROUNDS; round++) {
      const from = performance.now();
      await run(steps);
      figures.push((steps * rows) / (performance.now() - from) / 1000);
    }
    const { user, system } = process.cpuUsage(before);
    await remote.finish();
    const thousands = (rows * steps) / 1000;
    // The shard's process counts its start and the warm-up too.
    return { figures, workerUs: (user + system) / (ROUNDS * thousands), shardUs: (await cpuUs) / ((ROUNDS + 1) * thousands) };
  } finally {
    bridge.close();
    remote.close();
    child.stdin?.end();
  }
}

for (const [rows, regions] of [
  [2048, 4],
  [16_384, 4],
  [65_536, 4],
]) {
  const name = `pull + push, ${rows} rows of ${DIM} floats, ${regions} batches under way`;
  if (!wanted(`${name}: rows`) && !wanted(`${name}: bytes`)) continue;
  const { figures, workerUs, shardUs } = await measure(rows, regions);
  report({
    name: `${name}: rows`,
    unit: 'M rows/s',
    better: 'higher',
    values: figures,
    info: { 'worker µs of CPU a 1000 rows': workerUs, 'shard µs of CPU a 1000 rows': shardUs },
  });
  report({
    name: `${name}: bytes`,
    unit: 'GB/s',
    better: 'higher',
    values: figures.map((millions) => (millions * DIM * 4 * 2) / 1000),
    limit: { name: 'copy, all cores' },
  });
}
process.exit(0);
