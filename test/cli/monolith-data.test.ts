import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeFidV1, SeededRandom } from '../../src/base/index.js';
import { encodeFrame } from '../../src/data/index.js';
import { loadProtos } from '../../src/proto/index.js';
import { callCli, lastEvent, temporaryFolder } from '../helpers/cli.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('monolith-data');
});
after(() => folder.remove());

/** Clicks that depend on the user's fid: instances behind a Kafka dump's numbers. */
function writeInstances(path: string, count: number, seed: number): void {
  const type = loadProtos(['monolith_instance.proto']).lookupType('idl.matrix.proto.Instance');
  const random = new SeededRandom(seed);
  const framing = { hasSortId: true, kafkaDump: true, kafkaDumpPrefix: true, lagrangexHeader: false };
  const records = Array.from({ length: count }, () => {
    const user = random.nextBelow(20);
    const fids = [makeFidV1(1, BigInt(user)), makeFidV1(600, BigInt(random.nextBelow(50)))];
    const message = type.fromObject({
      fid: fids.map((fid) => BigInt.asUintN(64, fid).toString()),
      label: [random.nextFloat() < (user % 2 === 0 ? 0.9 : 0.1) ? 1 : 0],
      feature: [{ name: 'price', float_value: [random.nextFloat()] }],
    });
    return encodeFrame(type.encode(message).finish(), framing, { sortId: Buffer.from(`user ${user}`) });
  });
  writeFileSync(path, Buffer.concat(records));
}

test('train and evaluate on Instances as Monolith frames them', async () => {
  writeInstances(folder.in('train.dump'), 3000, 1);
  writeInstances(folder.in('test.dump'), 600, 2);
  const schema = {
    label: { column: 'label' },
    features: [
      { name: 'user', column: 'fc_slot_1', type: 'categorical' },
      { name: 'item', column: 'fc_slot_600', type: 'categorical' },
      { name: 'price', type: 'numeric' },
    ],
  };
  writeFileSync(folder.in('schema.json'), JSON.stringify(schema));
  const flags = ['--format', 'instance', '--schema', folder.in('schema.json'), '--data.kafka-dump', '--data.kafka-dump-prefix'];
  const data = ['--data', folder.in('train.dump'), '--eval-data', folder.in('test.dump')];
  const training = [
    '--model',
    'lr',
    '--epochs',
    '2',
    '--batch-size',
    '64',
    '--workers',
    '1',
    '--backend',
    'reference',
    '--model-dir',
    folder.in('run'),
  ];
  const run = await callCli(['train', ...flags, ...data, ...training, '--json']);
  assert.equal(run.code, 0, run.stderr);
  const done = lastEvent(run) as { examples: number; eval: { auc: number } };
  assert.equal(done.examples, 6000);
  // A perfect model of these clicks has 0.9.
  assert.ok(done.eval.auc > 0.85, JSON.stringify(done));
});
