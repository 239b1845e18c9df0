import type { Span } from '../training/index.js';

/** Spans as the JSON that chrome://tracing and Perfetto read: a row a thread, times in microseconds from the first span on. */
export function chromeTrace(spans: readonly Span[]): string {
  const threads = [...new Set(spans.map(({ thread }) => thread))].sort(byRole);
  const start = spans.reduce((least, { beginMs }) => Math.min(least, beginMs), Number.POSITIVE_INFINITY);
  const names = threads.flatMap((name, tid) => [
    { ph: 'M', name: 'thread_name', pid: 1, tid, args: { name } },
    { ph: 'M', name: 'thread_sort_index', pid: 1, tid, args: { sort_index: tid } },
  ]);
  const events = spans.map(({ thread, stage, step, beginMs, endMs }) => ({
    ph: 'X',
    name: stage,
    cat: thread.split(' ')[0],
    pid: 1,
    tid: threads.indexOf(thread),
    ts: microseconds(beginMs - start),
    dur: microseconds(endMs - beginMs),
    // Steps are counted from 1, as in progress reports.
    args: step === null ? {} : { step: step + 1 },
  }));
  const process = { ph: 'M', name: 'process_name', pid: 1, args: { name: 'monolith-local' } };
  return `{"displayTimeUnit":"ms","traceEvents":[\n${[process, ...names, ...events].map((event) => JSON.stringify(event)).join(',\n')}\n]}\n`;
}

/** Whole nanoseconds: the clock has no more. */
function microseconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e3;
}

const ROLES = ['main', 'worker', 'shard'];

function byRole(a: string, b: string): number {
  const [roleA, numberA = '0'] = a.split(' ');
  const [roleB, numberB = '0'] = b.split(' ');
  return ROLES.indexOf(roleA) - ROLES.indexOf(roleB) || Number(numberA) - Number(numberB);
}
