// How sources of a stream are written: tail:PATH, tcp://HOST:PORT, - and kafka://BROKERS/TOPICS?group=GROUP.
import { stat } from 'node:fs/promises';
import { MonolithError } from '../../base/index.js';
import { standardInput } from '../paths.js';
import { FileSeries } from './file-series.js';
import { FileTail } from './file-tail.js';
import type { MessageForm } from './kafka-messages.js';
import { KafkaSource } from './kafka-source.js';
import { InputLines, TcpLines } from './socket-lines.js';
import type { StreamSource } from './source.js';
import type { StreamOptions } from './stream-options.js';

const TAIL = 'tail:';

/** What the sources of a stream need to know of its records. */
export type SourceContext = {
  readonly options: StreamOptions;
  readonly maxRecordBytes: number;
  /** Whether a line names columns and is no record. */
  readonly isHeader: (line: Uint8Array) => boolean;
  readonly form: MessageForm;
};

/** Whether a text of `data.train` names a stream and not files; standard input is either. */
export function isStreamSpec(text: string): boolean {
  return text.startsWith(TAIL) || /^(tcp|kafka):\/\//.test(text);
}

/** The path of a source that follows files; null of another one. */
export function tailPath(spec: string): string | null {
  return spec.startsWith(TAIL) ? spec.slice(TAIL.length) : null;
}

/** The source that a text names; it is not opened. @throws InvalidConfig */
export async function sourceOf(spec: string, context: SourceContext): Promise<StreamSource> {
  const { options, maxRecordBytes, isHeader, form } = context;
  const { start, lost } = options;
  const path = tailPath(spec);
  if (spec.startsWith('kafka://')) {
    const { brokers, topics, group } = kafkaSpec(spec);
    return new KafkaSource({ brokers, topics, group, start, lost, form, maxRecordBytes, sessionTimeoutMs: options.sessionTimeoutMs });
  }
  if (form.kind !== 'lines') {
    throw wrong(spec, "Monolith's formats come as messages of Kafka; files, connections and standard input are streams of lines here");
  }
  if (spec === standardInput) return new InputLines(process.stdin, maxRecordBytes);
  if (path === null) {
    const match = /^tcp:\/\/(.+):(\d+)$/.exec(spec);
    const port = Number(match?.[2]);
    if (match === null || port < 1 || port > 65535) throw wrong(spec, 'expected tcp://host:port');
    return new TcpLines(match[1].replace(/^\[(.*)\]$/, '$1'), port, maxRecordBytes);
  }
  if (path === '') throw wrong(spec, 'expected tail: and the path of a file, a folder or a pattern');
  if (start !== 'earliest' && start !== 'latest') {
    throw wrong(spec, `--stream-start ${start}: files are read from earliest or latest`);
  }
  const tail = { start, lost, maxRecordBytes, isHeader } as const;
  const isFolder = (await stat(path).catch(() => null))?.isDirectory() === true;
  return isFolder || /[*?[{]/.test(path) ? new FileSeries(path, tail) : new FileTail(path, tail);
}

/** Brokers, topics and group of kafka://host:port+host:port/topic+topic?group=name. */
function kafkaSpec(spec: string): { readonly brokers: string[]; readonly topics: string[]; readonly group: string } {
  const expected = 'expected kafka://host:port+host:port/topic+topic?group=name';
  const match = /^kafka:\/\/([^/?]+)\/([^?]+)(?:\?(.*))?$/.exec(spec);
  if (match === null) throw wrong(spec, expected);
  const brokers = match[1].split('+').map((broker) => (/:\d+$/.test(broker) ? broker : `${broker}:9092`));
  const topics = match[2].split('+');
  const bad = topics.find((topic) => !/^[A-Za-z0-9._-]{1,249}$/.test(topic));
  if (bad !== undefined) throw wrong(spec, `"${bad}" is no name of a topic; ${expected}`);
  const query = new URLSearchParams(match[3] ?? '');
  const unknown = [...query.keys()].find((key) => key !== 'group');
  if (unknown !== undefined) throw wrong(spec, `unknown parameter ${unknown}; ${expected}`);
  const group = query.get('group');
  // Two models that share a group by chance would each get half of the records.
  if (group === null || group === '') throw wrong(spec, `no consumer group is named, which each model needs for itself; ${expected}`);
  return { brokers, topics: [...new Set(topics)], group };
}

function wrong(spec: string, what: string): MonolithError {
  return new MonolithError('InvalidConfig', `${spec}: ${what}`, { source: spec });
}
