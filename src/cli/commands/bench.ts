import { MonolithError, packageVersion } from '../../base/index.js';
import {
  benchFlags,
  compareResults,
  compareText,
  failures,
  parseBenchRequest,
  readBenchFile,
  runBench,
  suiteNames,
  suiteOf,
} from '../../bench/index.js';
import { ExitCode } from '../exit-codes.js';
import type { CommandArguments } from '../flags.js';
import type { Output } from '../output.js';
import { refuseUnknownFlags } from '../usage.js';

/** `monolith-local bench`: runs suites, compares two result files, or lists the suites. Returns the exit code. */
export async function bench(args: CommandArguments, output: Output): Promise<number> {
  const { words: given, ...flags } = args;
  refuseUnknownFlags(flags, Object.keys(benchFlags));
  const words = Array.isArray(given) ? given.map(String) : [];
  const request = parseBenchRequest(words, flags, process.env);
  switch (request.kind) {
    case 'list':
      output.result(listText());
      return ExitCode.done;
    case 'compare': {
      const [old, now] = [readBenchFile(request.old), readBenchFile(request.now)];
      const changes = compareResults(old, now);
      if (changes.length === 0)
        throw new MonolithError('InvalidConfig', `bench compare: ${request.old} and ${request.now} have no figure in common`);
      output.result(request.json ? `${JSON.stringify({ event: 'compare', changes })}\n` : compareText(old, now, changes));
      const worse = request.failBelow === null ? [] : failures(changes, request.failBelow);
      for (const { suite, name, ratio } of worse) output.talk(`${suite}: ${name} fell to ${ratio.toFixed(3)} of the old figure\n`);
      return worse.length === 0 ? ExitCode.done : ExitCode.failed;
    }
    case 'run': {
      const { complete } = await runBench(request.suites, request.options, packageVersion(), output);
      return complete ? ExitCode.done : ExitCode.failed;
    }
    default:
      return request satisfies never;
  }
}

function listText(): string {
  const width = Math.max(...suiteNames.map((name) => name.length));
  const suites = suiteNames.map((name) => `  ${name.padEnd(width)}  ${suiteOf(name).text}`).join('\n');
  return `suites of monolith-local bench (several may be named; all runs every one but peers):\n${suites}\n\nbench compare OLD.json NEW.json compares two result files.\n`;
}
