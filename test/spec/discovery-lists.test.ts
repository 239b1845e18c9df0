import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  MemoryDiscovery,
  MlpDiscovery,
  MonolithError,
  parseStaticList,
  parseTfConfig,
  type ServiceInfo,
  StaticDiscovery,
  serviceAt,
  serviceChanges,
  TfConfigDiscovery,
} from '../../src/index.js';
import { sharedData } from '../data/helpers.js';

const addresses = (services: readonly ServiceInfo[]): string[] => services.map(({ address }) => address);

/** Runs a parser on anything: a value, or a MonolithError with code Discovery; and nothing of Object's is touched. */
function onlyDiscoveryErrors(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof MonolithError, `${error}`);
    assert.equal(error.code, 'Discovery');
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
}

/** Texts that look like the format, with names that matter to JavaScript among them. */
const names = fc.constantFrom('ps', 'worker', 'chief', '__proto__', 'constructor', 'toString', 'polluted', '');
const spots = fc.constantFrom('h:1', '127.0.0.1:2222', '[::1]:80', 'h:port', 'h', ':1', 'h:0', 'h:65536', '__proto__:1', '');

describe('#5f TF_CONFIG', () => {
  const acceptance = '{"cluster":{"chief":["h0:1"],"ps":["h1:1"],"worker":["h2:1"]},"task":{"type":"worker","index":0}}';

  test('#5f a chief leads the workers, and a worker follows it by one', async () => {
    const discovery = new TfConfigDiscovery(parseTfConfig(acceptance));
    assert.equal(discovery.kind, 'tf_config');
    assert.deepEqual(addresses(await discovery.discover('ps')), ['h1:1']);
    assert.deepEqual(addresses(await discovery.discover('worker')), ['h0:1', 'h2:1']);
    assert.deepEqual([discovery.serverType, discovery.index, discovery.address], ['worker', 1, 'h2:1']);
    const chief = new TfConfigDiscovery(parseTfConfig(acceptance.replace('"type":"worker"', '"type":"chief"')));
    assert.deepEqual([chief.serverType, chief.index, chief.address], ['worker', 0, 'h0:1']);
    const ps = new TfConfigDiscovery(parseTfConfig(acceptance.replace('"type":"worker"', '"type":"ps"')));
    assert.deepEqual([ps.serverType, ps.index, ps.address], ['ps', 0, 'h1:1']);
    const plain = new TfConfigDiscovery(parseTfConfig('{"cluster":{"worker":["a:1","b:1"]},"task":{"type":"worker","index":"1"}}'));
    assert.deepEqual([plain.serverType, plain.index, plain.address], ['worker', 1, 'b:1']);
  });

  test('#5f services carry their index; registering is a silent no-op; a watch hears once', async () => {
    const discovery = new TfConfigDiscovery(parseTfConfig(acceptance));
    await discovery.register();
    await discovery.deregister();
    await discovery.heartbeat();
    const heard: number[] = [];
    (await discovery.watch('worker', (services) => heard.push(services.length)))();
    assert.deepEqual(heard, [2]);
    assert.deepEqual(
      (await discovery.discover('worker')).map(({ id, metadata }) => [id, metadata.index]),
      [
        ['worker-0', '0'],
        ['worker-1', '1'],
      ],
    );
  });

  test('#5f other names, missing roles and places that are not there are errors', async () => {
    const of = (text: string): TfConfigDiscovery => new TfConfigDiscovery(parseTfConfig(text));
    const refused = (message: RegExp) => ({ code: 'Discovery', message });
    await assert.rejects(of(acceptance).discover('chief'), refused(/name must be ps\/worker, got "chief"/));
    await assert.rejects(of('{"cluster":{"worker":["a:1"]}}').discover('ps'), refused(/TF_CONFIG missing ps/));
    await assert.rejects(of('{"cluster":{"ps":["a:1"]}}').discover('worker'), refused(/TF_CONFIG missing worker/));
    assert.deepEqual(addresses(await of('{"cluster":{"chief":["a:1"]}}').discover('worker')), ['a:1']);
    assert.throws(() => of('{"cluster":{}}').serverType, refused(/missing task/));
    assert.throws(() => of('{"cluster":{"ps":[]},"task":{"type":"ps","index":0}}').address, refused(/has 0 addresses/));
    assert.throws(() => of('{"cluster":{},"task":{"type":"ps","index":0}}').address, refused(/no role 'ps'/));
  });

  test('#5f what is no TF_CONFIG is named', () => {
    const cases: [string, RegExp][] = [
      ['', /Invalid TF_CONFIG JSON/],
      ['{"cluster"', /Invalid TF_CONFIG JSON/],
      ['[]', /must be a JSON object/],
      ['{}', /cluster must be an object of address lists, got nothing/],
      ['{"cluster":{"ps":"a:1"}}', /cluster\.ps must be a list/],
      ['{"cluster":{"ps":["a"]}}', /cluster\.ps\[0\] must be an address host:port, got "a"/],
      ['{"cluster":{},"task":[]}', /task must be an object/],
      ['{"cluster":{},"task":{"type":"ps"}}', /task\.index must be a whole number/],
      ['{"cluster":{},"task":{"index":0}}', /task\.type must be the name of a role/],
      ['{"cluster":{},"task":{"type":"ps","index":-1}}', /task\.index/],
    ];
    for (const [text, message] of cases) assert.throws(() => parseTfConfig(text), { code: 'Discovery', message }, text);
  });

  const file = join(sharedData() ?? '', 'formats/tf_config/tf_config.jsonl');
  test('#5f values quoted in public repositories parse', { skip: !existsSync(file) && 'shared data are absent' }, async () => {
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.ok(lines.length >= 4);
    for (const line of lines) {
      const discovery = new TfConfigDiscovery(parseTfConfig(line));
      const own = (await discovery.discover(discovery.serverType))[discovery.index];
      assert.equal(own.address, discovery.address);
    }
  });

  test('#5f any text gives a value or a Discovery error', () => {
    void fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => onlyDiscoveryErrors(() => parseTfConfig(text))));
    const role = fc.oneof(fc.array(spots), fc.anything());
    const like = fc.record({
      cluster: fc.oneof(fc.dictionary(names, role), fc.anything()),
      task: fc.oneof(fc.record({ type: fc.oneof(names, fc.anything()), index: fc.oneof(fc.integer(), fc.anything()) }), fc.anything()),
    });
    void fc.assert(
      fc.property(like, (value) => {
        let text: string;
        try {
          text = JSON.stringify(value) ?? 'null';
        } catch {
          return;
        }
        onlyDiscoveryErrors(() => {
          const discovery = new TfConfigDiscovery(parseTfConfig(text));
          return [discovery.serverType, discovery.index, discovery.address];
        });
      }),
    );
    onlyDiscoveryErrors(() => parseTfConfig('{"cluster":{"__proto__":["a:1"],"polluted":["b:1"]},"__proto__":{"polluted":1}}'));
  });
});

describe('#5f MLP environment', () => {
  const variables = {
    MLP_ROLE: 'WORKER',
    MLP_ROLE_INDEX: '1',
    MLP_HOST: 'me',
    MLP_PS_NUM: '2',
    MLP_PS_0_PRIMARY_HOST: 'p0',
    MLP_PS_0_HOST: 'p0-secondary',
    MLP_PS_0_PORT: '2222',
    MLP_PS_1_HOST: 'p1',
    MLP_PS_1_PORT: '2223',
    MLP_WORKER_NUM: '2',
    MLP_WORKER_0_HOST: 'w0',
    MLP_WORKER_0_PORT: '3330',
    MLP_WORKER_1_HOST: 'w1',
    MLP_WORKER_1_PORT: '3331',
  };

  test('#5f roles, hosts and ports come from the variables', async () => {
    const discovery = new MlpDiscovery(variables);
    assert.equal(discovery.kind, 'mlp');
    assert.deepEqual([discovery.serverType, discovery.index, discovery.address], ['worker', 1, 'w1:3331']);
    assert.deepEqual(addresses(await discovery.discover('ps')), ['p0:2222', 'p1:2223']);
    assert.deepEqual(addresses(await discovery.discover('WORKER')), ['w0:3330', 'w1:3331']);
    assert.deepEqual(await discovery.discover('evaluator'), []);
    await assert.rejects(discovery.discover(' '), { code: 'Discovery' });
  });

  test('#5f taking back hides, registering shows again, and a watch hears of both', async () => {
    const discovery = new MlpDiscovery(variables);
    const heard: string[] = [];
    const end = await discovery.watch('ps', (services) => heard.push(addresses(services).join()));
    const ps1 = serviceAt('ps', 1, 'p1:2223');
    await discovery.deregister(ps1);
    assert.deepEqual(
      (await discovery.discover('ps')).map(({ id }) => id),
      ['ps-0'],
    );
    await discovery.register(ps1);
    end();
    await discovery.deregister(ps1);
    assert.deepEqual(heard, ['p0:2222,p1:2223', 'p0:2222', 'p0:2222,p1:2223']);
  });

  test('#5f role, index, host and port must be those of the environment', async () => {
    const discovery = new MlpDiscovery(variables);
    for (const host of ['p0', 'p0-secondary', 'localhost', '127.0.0.1', '0.0.0.0', 'local', 'me', 'w1']) {
      await discovery.register(serviceAt('ps', 0, `${host}:2222`));
    }
    const cases: [ServiceInfo, RegExp][] = [
      [serviceAt('chief', 0, 'p0:2222'), /unknown role 'chief'.*ps, worker/],
      [serviceAt('ps', 2, 'p0:2222'), /index 2 out of bounds for role 'ps': MLP_PS_NUM is 2/],
      [{ ...serviceAt('ps', 0, 'p0:2222'), metadata: { index: '-1' } }, /index -1 out of bounds/],
      [serviceAt('ps', 0, 'elsewhere:2222'), /host mismatch for ps 0: got 'elsewhere'/],
      [serviceAt('ps', 0, 'p0:2223'), /port mismatch for ps 0: expected 2222, got 2223/],
      [serviceAt('ps', 0, 'p0'), /not host:port/],
    ];
    for (const [service, message] of cases) {
      await assert.rejects(discovery.register(service), { code: 'Discovery', message });
      await assert.rejects(discovery.deregister(service), { code: 'Discovery', message });
    }
  });

  test('#5f after close everything is inert', async () => {
    const discovery = new MlpDiscovery(variables);
    await discovery.close();
    await discovery.close();
    assert.deepEqual([discovery.serverType, discovery.address], [null, null]);
    assert.deepEqual(await discovery.discover('ps'), []);
    await discovery.register(serviceAt('ps', 9, 'nowhere'));
    await discovery.deregister(serviceAt('ps', 9, 'nowhere'));
  });

  test('#5f any variables give services or a Discovery error', async () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('0', '1', '3', '-1', '1e3', '99999999999', '65536'));
    const key = fc.constantFrom(
      ...[
        'MLP_ROLE',
        'MLP_ROLE_INDEX',
        'MLP_PS_NUM',
        'MLP_PS_0_HOST',
        'MLP_PS_0_PORT',
        'MLP___PROTO___NUM',
        '__proto__',
        'MLP_CONSTRUCTOR_NUM',
      ],
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, value), names, spots, async (environment, role, address) => {
        const discovery = new MlpDiscovery(environment);
        for (const operation of [
          async () => [discovery.serverType, discovery.index, discovery.address],
          () => discovery.discover(role),
          () => discovery.register(serviceAt(role, 0, address)),
        ]) {
          await operation().catch((error) => assert.equal(error.code, 'Discovery', error.stack));
        }
        assert.equal(({} as Record<string, unknown>).polluted, undefined);
      }),
    );
  });
});

describe('a static list', () => {
  const list = 'ps=10.0.0.1:2222, 10.0.0.2:2222 ; worker=[::1]:80;';

  test('roles by name, addresses by place', async () => {
    const discovery = new StaticDiscovery(parseStaticList(list));
    assert.equal(discovery.kind, 'static');
    assert.deepEqual(addresses(await discovery.discover('ps')), ['10.0.0.1:2222', '10.0.0.2:2222']);
    assert.deepEqual((await discovery.discover('worker'))[0].metadata, { index: '0' });
    assert.deepEqual(await discovery.discover('chief'), []);
  });

  test('a service that the list has elsewhere is refused', async () => {
    const discovery = new StaticDiscovery(parseStaticList(list));
    await discovery.register(serviceAt('ps', 1, '127.0.0.1:2222'));
    await discovery.deregister();
    await assert.rejects(discovery.register(serviceAt('ps', 1, '127.0.0.1:2223')), {
      code: 'Discovery',
      message: /the list says 10\.0\.0\.2:2222/,
    });
    await assert.rejects(discovery.register(serviceAt('ps', 2, '127.0.0.1:2222')), { code: 'Discovery', message: /2 addresses of ps/ });
    await assert.rejects(discovery.register(serviceAt('chief', 0, '127.0.0.1:1')), {
      code: 'Discovery',
      message: /role chief is not in the list/,
    });
  });

  test('anything else is named', () => {
    const cases: [string, RegExp][] = [
      ['', /the list is empty/],
      ['ps', /'ps' does not name a role/],
      ['=h:1', /does not name a role/],
      ['ps=h', /ps 0 is 'h', not host:port/],
      ['ps=h:1,', /ps 1 is ''/],
      ['ps=h:0', /port from 1 to 65535/],
      ['ps=h:1;ps=h:2', /role ps stands twice/],
      ['ps=h:1,h:1', /ps lists h:1 twice/],
    ];
    for (const [text, message] of cases) assert.throws(() => parseStaticList(text), { code: 'Discovery', message }, text);
  });

  test('any text gives a list or a Discovery error; a list written out is read again', () => {
    void fc.assert(fc.property(fc.string(), (text) => onlyDiscoveryErrors(() => parseStaticList(text))));
    const role = fc.tuple(names, fc.array(spots)).map(([name, all]) => `${name}=${all.join(',')}`);
    void fc.assert(fc.property(fc.array(role), (roles) => onlyDiscoveryErrors(() => parseStaticList(roles.join(';')))));
    const port = fc.integer({ min: 1, max: 65535 });
    const good = fc.dictionary(
      fc.constantFrom('ps', 'worker', 'x'),
      fc.uniqueArray(port, { minLength: 1 }).map((ports) => ports.map((number) => `h:${number}`)),
      { minKeys: 1 },
    );
    void fc.assert(
      fc.property(good, (roles) => {
        const text = Object.entries(roles).map(([name, all]) => `${name}=${all.join(',')}`);
        assert.deepEqual(parseStaticList(text.join(';')), new Map(Object.entries(roles)));
      }),
    );
    assert.deepEqual(parseStaticList('__proto__=h:1').get('__proto__'), ['h:1']);
  });
});

describe('discovery in memory', () => {
  test("roles of one process share one object; closing it is nobody else's end", async () => {
    const discovery = new MemoryDiscovery();
    const heard: number[] = [];
    const end = await discovery.watch('ps', (services) => heard.push(services.length));
    const ps = serviceAt('ps', 0, 'h:1', { zone: 'a' });
    await discovery.connect();
    await discovery.register(ps);
    await discovery.register(serviceAt('worker', 0, 'h:2'));
    await discovery.close();
    await discovery.heartbeat('ps-0');
    await assert.rejects(discovery.heartbeat('ps-1'), { code: 'Discovery', details: { reason: 'NotFound', backend: 'memory' } });
    assert.deepEqual(await discovery.discover('ps'), [ps]);
    await discovery.register(serviceAt('ps', 0, 'h:3'));
    await discovery.deregister(ps);
    await discovery.deregister(ps);
    end();
    await discovery.register(ps);
    assert.deepEqual(heard, [0, 1, 1, 0]);
  });

  test('changes between two lists', () => {
    const [a, b, c] = [serviceAt('ps', 0, 'h:1'), serviceAt('ps', 1, 'h:2'), serviceAt('ps', 1, 'h:3')];
    assert.deepEqual(serviceChanges([a, b], [c, serviceAt('ps', 2, 'h:4')]), [
      { change: 'updated', service: c },
      { change: 'added', service: serviceAt('ps', 2, 'h:4') },
      { change: 'removed', service: a },
    ]);
    assert.deepEqual(serviceChanges([a], [a]), []);
  });
});
