import { z } from 'zod';
import { choice, integer, nullableText, text } from './option.js';

/** Longest timer that Node keeps; a longer one fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const filled = z.string().min(1);

/** Options of how the processes of a run on several hosts find each other. */
export const discoveryOptions = {
  kind: choice(
    'local',
    ['local', 'static', 'tf-config', 'mlp', 'consul', 'zookeeper', 'host-files'],
    'How the processes of a run on several hosts find each other; local: one process, nobody to find.',
    {
      flag: 'discovery',
      unavailable: {
        'in-memory': 'processes that share no memory find nobody there; on one machine use host-files with --discovery-folder',
      },
    },
  ),
  addresses: nullableText(
    'a list such as ps=10.0.0.1:2222;worker=10.0.0.2:2223',
    filled,
    'static: address of every process, role by role.',
    {
      flag: 'addresses',
    },
  ),
  tfConfig: nullableText('JSON text', filled, 'tf-config: the value; null takes the environment variable TF_CONFIG.'),
  zkHosts: nullableText('host:port,host:port', filled, 'zookeeper: the servers.', { flag: 'zk-hosts' }),
  zkBasePath: text('/monolith/default', 'zookeeper: path below which the services of this job stand; one for each job.', {
    flag: 'zk-base-path',
  }),
  consulAddr: nullableText('host:port', filled, "consul: where this host's agent answers HTTP.", { flag: 'consul-addr' }),
  consulServiceName: text('monolith', 'consul: name under which all services of this job stand; one for each job.', {
    flag: 'consul-service-name',
  }),
  consulForm: choice(
    'health',
    ['health', 'lookup'],
    "consul: Consul's own interface, or the lookup service that ByteDance puts before it.",
  ),
  folder: nullableText('a folder', filled, 'host-files: a folder that all hosts share; one for each job.', {
    path: 'folder',
    flag: 'discovery-folder',
  }),
  psType: text('ps', 'Name under which parameter servers are found.', { flag: 'discovery-service-type-ps' }),
  workerType: text('worker', 'Name under which workers are found.', { flag: 'discovery-service-type-worker' }),
  lostAfterMs: integer(10_000, 'zookeeper, consul, host-files: milliseconds after its last sign of life when a process counts as gone.', {
    min: 500,
    max: MAX_TIMEOUT_MS,
  }),
  operationTimeoutMs: integer(5_000, 'Longest time, in milliseconds, that one question to the discovery takes.', {
    min: 1,
    max: MAX_TIMEOUT_MS,
    minTogether: true,
    flag: 'discovery-operation-timeout-ms',
  }),
  cleanupTimeoutMs: integer(200, 'Longest time, in milliseconds, that taking a service back and closing the connection take at the end.', {
    min: 1,
    max: MAX_TIMEOUT_MS,
    minTogether: true,
    flag: 'discovery-cleanup-timeout-ms',
  }),
};
