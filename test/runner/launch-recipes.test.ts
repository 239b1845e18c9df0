import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseYaml, resolveConfig } from '../../src/config/index.js';
import { openDiscovery } from '../../src/discovery/index.js';
import { placeOf } from '../../src/runner/index.js';
import { main } from '../helpers/cli.js';
import { newestStep } from '../helpers/job.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-recipes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Role, index, sizes and address that a process takes from a TF_CONFIG. */
async function placeBy(tfConfig: string, args: readonly string[]): Promise<unknown> {
  const flags: Record<string, string | boolean> = {};
  const words = args.slice(1).filter((word) => !word.endsWith('.yaml'));
  for (let i = 0; i < words.length; i++) {
    const value = words[i + 1];
    const takes = value !== undefined && !value.startsWith('--');
    flags[words[i].slice(2)] = takes ? value : true;
    if (takes) i++;
  }
  const { config } = resolveConfig({ flags });
  const discovery = await openDiscovery(config.discovery, { TF_CONFIG: tfConfig });
  assert.ok(discovery);
  const place = await placeOf(config, discovery);
  const { workers, ps, distributed } = place.config;
  return { role: distributed.role, index: distributed.index, workers, ps, listed: place.listed };
}

type Service = { command: string; environment: { TF_CONFIG: string } };

describe('examples/docker-compose.yaml', () => {
  const recipe = parseYaml(readFileSync(join(examples, 'docker-compose.yaml'), 'utf8'), 'docker-compose.yaml') as {
    services: Record<string, Service & { '<<'?: Service }>;
  };
  // docker compose reads YAML's merge keys; this parser leaves them to its reader.
  const services = Object.entries(recipe.services).map(([name, own]) => ({ name, ...own['<<'], ...own }));

  test('each container finds its role, its index and the others', async () => {
    const places = Object.fromEntries(
      await Promise.all(
        services.map(async ({ name, command, environment }) => [name, await placeBy(environment.TF_CONFIG, command.split(' '))]),
      ),
    ) as unknown;
    assert.deepEqual(places, {
      chief: { role: 'chief', index: 0, workers: 2, ps: 2, listed: 'chief:2222' },
      'worker-0': { role: 'worker', index: 1, workers: 2, ps: 2, listed: 'worker-0:2222' },
      'ps-0': { role: 'ps', index: 0, workers: 2, ps: 2, listed: 'ps-0:2222' },
      'ps-1': { role: 'ps', index: 1, workers: 2, ps: 2, listed: 'ps-1:2222' },
    });
  });

  test('its containers, as processes of this machine, train to the end', async () => {
    const ports = await freePorts(4);
    const addresses = new Map(services.map(({ name }, i) => [`${name}:2222`, `127.0.0.1:${ports[i]}`]));
    const modelDir = join(folder, 'model');
    const runs = services.map(({ name, command, environment }) => {
      let tfConfig = environment.TF_CONFIG;
      for (const [there, here] of addresses) tfConfig = tfConfig.replace(`"${there}"`, `"${here}"`);
      const args = command.replace('/examples/', examples).replace('/model', modelDir).split(' ');
      const more = ['--max-steps', '20', '--quiet', '--start-timeout-ms', '30000'];
      const child = spawn(process.execPath, [main, ...args, ...more], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, TF_CONFIG: tfConfig },
      });
      let stderr = '';
      child.stderr.on('data', (bytes: Buffer) => {
        stderr += bytes.toString();
      });
      return new Promise<string>((resolve) => child.once('close', (code) => resolve(`${name} ${code}${code === 0 ? '' : stderr}`)));
    });
    assert.deepEqual(await Promise.all(runs), ['chief 0', 'worker-0 0', 'ps-0 0', 'ps-1 0']);
    assert.equal(newestStep(modelDir), 20);
  });
});

test('examples/kubernetes/tfjob.yaml: each pod of the operator finds its role, its index and the others', async () => {
  type Pod = { spec: { containers: { name: string; args: string[]; ports: { name: string; containerPort: number }[] }[] } };
  const recipe = parseYaml(readFileSync(join(examples, 'kubernetes/tfjob.yaml'), 'utf8'), 'tfjob.yaml') as {
    kind: string;
    metadata: { name: string };
    spec: { tfReplicaSpecs: Record<string, { replicas: number; template: Pod }> };
  };
  assert.equal(recipe.kind, 'TFJob');
  const replicas = Object.entries(recipe.spec.tfReplicaSpecs).map(([type, { replicas, template }]) => {
    // What the operator demands of a pod.
    const [container] = template.spec.containers;
    assert.equal(container.name, 'tensorflow');
    const port = container.ports.find(({ name }) => name === 'tfjob-port')?.containerPort;
    assert.ok(port);
    const lower = type.toLowerCase();
    const addresses = Array.from({ length: replicas }, (_, i) => `${recipe.metadata.name}-${lower}-${i}.default.svc:${port}`);
    return { type: lower, addresses, args: container.args };
  });
  // As the operator makes it: github.com/kubeflow/training-operator, genTFConfigJSONStr.
  const cluster = Object.fromEntries(replicas.map(({ type, addresses }) => [type, addresses]));
  const places = await Promise.all(
    replicas.flatMap(({ type, addresses, args }) =>
      addresses.map((_, index) => placeBy(JSON.stringify({ cluster, task: { type, index }, environment: 'cloud' }), args)),
    ),
  );
  const at = (name: string): string => `monolith-local-${name}.default.svc:2222`;
  assert.deepEqual(places, [
    { role: 'chief', index: 0, workers: 2, ps: 2, listed: at('chief-0') },
    { role: 'worker', index: 1, workers: 2, ps: 2, listed: at('worker-0') },
    { role: 'ps', index: 0, workers: 2, ps: 2, listed: at('ps-0') },
    { role: 'ps', index: 1, workers: 2, ps: 2, listed: at('ps-1') },
  ]);
});

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
