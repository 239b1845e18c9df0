import { z } from 'zod';
import { boolean, choice, integer, nullableInteger, nullableText } from './option.js';

/** Longest timer that Node keeps; a longer one fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const filled = z.string().min(1);

/** Options of one process of a run on several hosts. */
export const distributedOptions = {
  enabled: boolean(false, 'This process is one of several, on this or on other hosts, that train together.', { flag: 'distributed' }),
  role: choice('chief', ['chief', 'worker', 'ps'], 'What this process does. The chief is worker 0: it leads, evaluates and saves.', {
    flag: 'role',
  }),
  launcher: choice(
    'auto',
    ['auto', 'none'],
    'auto: where Horovod, BytePS, Open MPI or another launcher that sets RANK and WORLD_SIZE started this process, its rank and their number are role, index and workers, as far as these are not given. none: look at no such variable.',
    { flag: 'launcher' },
  ),
  index: integer(0, 'Which worker or parameter server this is: workers from 1 (0 is the chief), parameter servers from 0.', {
    min: 0,
    max: 4095,
    flag: 'index',
  }),
  bind: nullableText(
    'host:port',
    filled,
    'Where this process listens; port 0 takes a free one. null: the port that the discovery lists for it, else a free one on 127.0.0.1.',
    { flag: 'bind', aliases: ['bind-addr'] },
  ),
  advertise: nullableText(
    'host or host:port',
    filled,
    'Under which address others reach this process, where it differs from the one it listens on.',
    { flag: 'advertise' },
  ),
  peerTimeoutMs: integer(
    30_000,
    'Milliseconds that another process may be away before the run ends with an error that names it. Shorter breaks change nothing.',
    { min: 100, max: MAX_TIMEOUT_MS, flag: 'peer-timeout-ms' },
  ),
  startTimeoutMs: integer(600_000, 'Milliseconds to wait at the start for the other processes.', {
    min: 100,
    max: MAX_TIMEOUT_MS,
    flag: 'start-timeout-ms',
  }),
  barrierTimeoutMs: nullableInteger(
    'Milliseconds that a worker which is ready waits for all others to come, at the start. null: as long as startTimeoutMs says.',
    { min: 1, max: MAX_TIMEOUT_MS, minTogether: true, flag: 'barrier-timeout-ms' },
  ),
  connectRetries: nullableInteger(
    'How often the chief looks again for the parameter servers at the start. null: for as long as startTimeoutMs says.',
    { min: 0, max: 1_000_000_000, flag: 'connect-retries' },
  ),
  retryBackoffMs: integer(500, 'Milliseconds between two such looks.', { min: 1, max: MAX_TIMEOUT_MS, flag: 'retry-backoff-ms' }),
  heartbeatIntervalSecs: nullableInteger(
    'Seconds between two signs of life to the discovery; 0: none. null: a quarter of discovery.lostAfterMs.',
    { min: 0, max: 86_400, flag: 'heartbeat-interval-secs', switches: { 'disable-heartbeat': '0' } },
  ),
  tlsCert: nullableText('a file', filled, 'Certificate of this process, PEM, with its chain.', { path: 'folder', flag: 'tls-cert' }),
  tlsKey: nullableText('a file', filled, 'Its private key, PEM.', { path: 'folder', flag: 'tls-key' }),
  tlsCa: nullableText('a file', filled, 'Authority that signed the certificates of all processes, PEM. Each must show one.', {
    path: 'folder',
    flag: 'tls-ca',
  }),
  tlsServerName: nullableText(
    'a name',
    filled,
    'Name that the certificates of all processes bear, where it is not the host they are reached by.',
    {
      flag: 'tls-server-name',
    },
  ),
  tokenFile: nullableText('a file', filled, 'File with the token that every process must know.', { path: 'folder', flag: 'token-file' }),
  insecure: boolean(
    false,
    'Allow traffic to and from other hosts in plain text. Whoever reaches a process then reads and changes the model.',
    {
      flag: 'insecure',
    },
  ),
  stateFolder: nullableText(
    'a folder',
    filled,
    'ps: folder for its journal. A parameter server that dies and is started again then goes on where it was; without it the job starts again from the last checkpoint.',
    { path: 'folder', flag: 'state-folder' },
  ),
  syncJournal: boolean(
    false,
    'ps: flush every change of the journal to the disk before it is acknowledged. It then survives a loss of power, not only the death of the process; every step waits for the disk.',
    { flag: 'sync-journal' },
  ),
  keep: boolean(false, 'ps: wait for the next chief when a job is over or its chief is gone, instead of ending.', { flag: 'keep' }),
  localHosts: integer(
    0,
    'Try a run on several hosts out on this one: starts this many processes (about half of them parameter servers, unless workers and ps say otherwise). 0: off.',
    { min: 0, max: 64, flag: 'local-hosts' },
  ),
};
